package record_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/record"
)

// What a pool records of a boot is what the handset records: every message of every protocol, field by field, but for what
// only one of the two can know.
func TestBothSides(t *testing.T) {
	profile, err := configs.LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var there record.Pool
		cable := ethernet.NewPipe(ethernet.Options{})
		defer cable.Close()
		pool, err := labpool.Start(labpool.Config{Cable: cable, Ear: there.Hear})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		station, err := pool.Cable().Join(ethernet.StationConfig{Name: "phone", MAC: net.HardwareAddr{0x00, 0x04, 0xf2, 0, 0, 1}})
		if err != nil {
			t.Fatal(err)
		}
		defer station.Close()
		phone, err := handset.New(profile, station, handset.WithDecoding())
		if err != nil {
			t.Fatal(err)
		}
		var here record.Recorder
		phone.Observe(here.Observe)
		if _, err := phone.Boot(context.Background(), handset.Credentials{Number: "+12065551219", PIN: secret.New("0712")}); err != nil {
			t.Fatal(err)
		}
		if err := phone.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		mac, atPool, _, others := there.Handset()
		if mac != "00:04:f2:00:00:01" || others != 0 {
			t.Errorf("the pool has recorded %q and left out %d", mac, others)
		}
		atHandset, _ := here.Messages()
		of := map[string]int{}
		for _, m := range atPool {
			of[m.Protocol]++
		}
		for _, protocol := range []string{"lldp", "dhcp", "dns", "ntp", "tls", "http", "sip"} {
			if of[protocol] == 0 {
				t.Errorf("the pool has recorded nothing of %s", protocol)
			}
		}
		var got []string
		for _, d := range compare.Compare(unpeered(atHandset), unpeered(atPool), compare.DefaultMasks()) {
			if d.What == compare.MessageAdded && !d.Sent && (d.Protocol == "lldp" || d.Protocol == "dns") {
				continue // which the handset listened to no longer
			}
			got = append(got, d.Where()+": "+d.Sentence())
		}
		if diff := cmp.Diff([]string(nil), got); diff != "" {
			t.Errorf("-want +got:\n%s", strings.TrimSpace(diff))
		}
		text := record.Scenario(record.Boot{
			File: "pool.yaml", Lab: "litware", User: "somebody", Users: map[string]string{"sip:kenmyer@litwareinc.com": "kenmyer"}, Pool: true,
		}, atPool, 0)
		s, err := format.Parse("pool.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		if s.Profile.Name != profile.Name || s.Steps[1].SignIn != "kenmyer" {
			t.Errorf("profile %s, %s signs in", s.Profile.Name, s.Steps[1].SignIn)
		}
		for _, line := range []string{
			"# The profile is the nearest that there is: model CX600 with firmware 4.0.7577.4463, by LLDP-MED.",
			"    - ...\n    - LinkDetect\n    - ...\n    - AddressAcquire\n    - ...\n    - UpdateLookup\n    - ...\n    - TimeSync\n    - ...\n    - PoolDiscover\n    - ...\n    - RootChain\n" +
				"    - ...\n    - WebTicket\n    - ...\n    - Enroll\n    - ...\n    - Register\n    - ...\n    - Provision\n    - ...\n    - UpdateCheck\n    - ...\n    - Ready\n    - ...",
		} {
			if !strings.Contains(string(text), line+"\n") {
				t.Errorf("no %q in\n%.1500s", line, text)
			}
		}
	})
}

// unpeered leaves out what the two sides call each other.
func unpeered(list []exchange.Message) []exchange.Message {
	out := make([]exchange.Message, len(list))
	for i, m := range list {
		m.Peer = ""
		out[i] = m
	}
	return out
}
