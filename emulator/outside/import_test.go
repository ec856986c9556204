//go:build outside

package outside

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/importer"
	"github.com/phone-edition/lpe/scenarios/record"
)

// recordedBoot boots a handset in a lab and gives the capture and the recording of that boot.
func recordedBoot(t *testing.T, lab, profile string, change func(*rig.Options)) (capture string, messages []exchange.Message) {
	t.Helper()
	var recorder record.Recorder
	o := rig.Options{Timeout: time.Minute, Capture: filepath.Join(t.TempDir(), "boot.pcapng"), CaptureSecrets: true, Decode: true}
	o.Observers = []func(timeline.Observation){recorder.Observe}
	var err error
	if o.Lab, err = configs.LoadLab(lab); err != nil {
		t.Fatal(err)
	}
	if o.Profile, err = configs.LoadProfile(profile); err != nil {
		t.Fatal(err)
	}
	o.Credentials = rig.FirstUser(o.Lab, o.Profile)
	if change != nil {
		change(&o)
	}
	run, err := rig.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	result := run.Boot(context.Background())
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	if result.Result != report.Success {
		t.Fatalf("%s: %s", result.Code, result.Diagnosis)
	}
	messages, _ = recorder.Messages()
	return o.Capture, messages
}

func differences(a, b []exchange.Message) []string {
	var out []string
	for _, d := range compare.Compare(a, b, compare.DefaultMasks()) {
		out = append(out, fmt.Sprintf("%s: %s %s %s: %q, %q", d.What, d.Protocol, d.Message, d.Field, d.A, d.B))
	}
	return out
}

// TestImportEqualsRecording holds what is read out of the capture of a boot to what the handset recorded of it: message
// for message, field for field, state for state.
func TestImportEqualsRecording(t *testing.T) {
	for _, one := range [][2]string{
		{"litware", rig.DefaultProfile},
		{"litware", "polycom-cx700-3.5.6907.187"},
		{"contoso", "hp-4120-4.0.7577.4512"},
	} {
		t.Run(one[0]+" "+one[1], func(t *testing.T) {
			capture, recorded := recordedBoot(t, one[0], one[1], nil)
			b := imported(t, capture, importer.Options{})
			if got := differences(recorded, b.Exchange()); len(got) > 0 {
				t.Errorf("recorded and imported differ:\n%s", strings.Join(got, "\n"))
			}
			if len(b.Unread) > 0 || len(b.Notes) > 0 {
				t.Errorf("unread %v, notes %q", b.Unread, b.Notes)
			}
			if len(b.Associations) == 0 {
				t.Error("no security association")
			}
			for _, a := range b.Associations {
				if a.Unread != "" || len(a.Wrong) > 0 || a.Right == 0 {
					t.Errorf("association %s: %s, %d right, %v wrong", a.Opaque, a.Unread, a.Right, a.Wrong)
				}
			}
			of := map[string]int{}
			for _, m := range recorded {
				of[m.Protocol]++
			}
			for _, protocol := range []string{"lldp", "arp", "dhcp", "dns", "ntp", "tls", "http", "sip"} {
				if of[protocol] == 0 {
					t.Errorf("nothing of %s was recorded, and so nothing of it compared", protocol)
				}
			}
			draftEquals(t, b, one[1])
			scenarioHolds(t, b, one[1])
			nothingInvented(t, capture, b)
		})
	}
}

// draftEquals holds the draft profile of a capture to the profile that booted.
func draftEquals(t *testing.T, b *importer.Boot, profile string) {
	t.Helper()
	draft := b.Draft()
	if draft.Base != profile {
		t.Errorf("base %s, want %s", draft.Base, profile)
	}
	text, err := draft.YAML("boot.pcapng")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	file := filepath.Join(t.TempDir(), "draft.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := configs.LoadProfileFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := configs.LoadProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Facts) != len(want.Facts) {
		t.Fatalf("%d facts, want %d", len(got.Facts), len(want.Facts))
	}
	fromCapture := regexp.MustCompile(`^boot\.pcapng frame [1-9][0-9]*(: .*)?$`)
	sourced := 0
	for i, f := range got.Facts {
		if f.Value != want.Facts[i].Value {
			t.Errorf("%s is %s, want %s", f.Name, f.Value, want.Facts[i].Value)
		}
		switch {
		case strings.HasPrefix(f.Source, "boot.pcapng"):
			sourced++
			if f.Provenance != configs.Sourced || !fromCapture.MatchString(f.Source) {
				t.Errorf("%s: %s, %q", f.Name, f.Provenance, f.Source)
			}
		case f != want.Facts[i]:
			t.Errorf("%s is %v, want %v as in the base", f.Name, f, want.Facts[i])
		}
	}
	if sourced != len(draft.Facts) || sourced < 20 {
		t.Errorf("%d facts are the capture's, %d of the draft", sourced, len(draft.Facts))
	}
}

// scenarioHolds parses the scenario and compares its messages with those that were imported.
func scenarioHolds(t *testing.T, b *importer.Boot, profile string) {
	t.Helper()
	text, err := b.Scenario(profile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := format.Parse("import.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if got := differences(b.Exchange(), s.Exchange); len(got) > 0 || len(s.Exchange) != len(b.Messages) {
		t.Errorf("%d messages of %d, %q", len(s.Exchange), len(b.Messages), got)
	}
}

var inBrackets = regexp.MustCompile(`\(([0-9a-f]+)\)$`)

// nothingInvented looks for every recorded value of HTTP, SIP and DHCP in what tshark itself decrypts of the capture.
func nothingInvented(t *testing.T, capture string, b *importer.Boot) {
	t.Helper()
	clear := clearBytes(t, capture)
	squeezed := strings.Join(strings.Fields(string(clear)), " ")
	checked := 0
	for _, m := range b.Messages {
		if (m.Protocol == "http" || m.Protocol == "sip") && !bytes.Contains(clear, m.Raw) {
			t.Errorf("%s in frame %d is not in the capture", m.Kind, m.Frame)
		}
		for _, f := range m.Fields {
			if f.Origin != timeline.Recorded {
				continue
			}
			switch m.Protocol {
			case "http", "sip":
				if f.Name == "request" || f.Name == "response" || strings.Contains(f.Name, " ") || strings.HasSuffix(f.Value, "that are no XML document") { // put together, or of a TLS flight
					continue
				}
				checked++
				if !strings.Contains(squeezed, strings.Trim(f.Value, `"`)) && !strings.Contains(squeezed, f.Value) {
					t.Errorf("%s in frame %d: %s %q is not in the capture", m.Kind, m.Frame, f.Name, f.Value)
				}
			case "dhcp":
				if bytesOf := inBrackets.FindStringSubmatch(f.Value); strings.HasPrefix(f.Name, "option ") && bytesOf != nil {
					checked++
					if !strings.Contains(hex.EncodeToString(m.Raw), bytesOf[1]) {
						t.Errorf("%s in frame %d: %s %q is not in the frame", m.Kind, m.Frame, f.Name, f.Value)
					}
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("%d values were looked for", checked)
	}
}

// clearBytes are the bytes of all connections of a capture, decrypted, as tshark follows them. Its own secrets may come
// too late for that, so that they are given in a file.
func clearBytes(t *testing.T, capture string) []byte {
	t.Helper()
	keys := readPackets(t, capture).keyLog(t)
	streams := strings.Fields(tsharkFields(t, capture, "tcp.flags == 0x002", "tcp.stream"))
	var out []byte
	for _, stream := range streams {
		for _, follow := range []string{"tls", "tcp"} {
			text := tshark(t, capture, "-o", "tls.keylog_file:"+keys, "-d", "tcp.port==5061,tls", "-q", "-z", "follow,"+follow+",raw,"+stream)
			var client, server []byte
			for line := range strings.Lines(text) {
				hexed, fromServer := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "\t")
				b, err := hex.DecodeString(hexed)
				switch {
				case err != nil:
				case fromServer:
					server = append(server, b...)
				default:
					client = append(client, b...)
				}
			}
			out = slices.Concat(out, client, []byte("\n"), server, []byte("\n"))
		}
	}
	return out
}

// changedCapture imports the capture of a boot, and that capture with something changed in it.
func changedCapture(t *testing.T, change func(*packets)) (before []exchange.Message, after *importer.Boot) {
	t.Helper()
	capture, _ := recordedBoot(t, "litware", rig.DefaultProfile, nil)
	before = imported(t, capture, importer.Options{}).Exchange()
	p := readPackets(t, capture)
	change(p)
	return before, imported(t, p.write(t), importer.Options{})
}

// find is the first frame with a text in it, from a place on.
func (p *packets) find(t *testing.T, from int, texts ...string) int {
	t.Helper()
	for i := from; i < len(p.list); i++ {
		if !slices.ContainsFunc(texts, func(text string) bool { return !bytes.Contains(p.list[i].data, []byte(text)) }) {
			return i
		}
	}
	t.Fatalf("no frame holds %q", texts)
	return 0
}

// TestChangedCaptureDiffers changes one thing in the capture file and wants that named, and nothing else.
func TestChangedCaptureDiffers(t *testing.T) {
	dhcp := func(kind byte) string { return string([]byte{0x63, 0x82, 0x53, 0x63, 53, 1, kind}) }
	for name, one := range map[string]struct {
		change func(*packets)
		want   []string
	}{
		"one DHCP option": {
			func(p *packets) {
				i := p.find(t, 0, dhcp(1), "CPE-OCPHONE")
				p.list[i].data = bytes.Replace(p.list[i].data, []byte("CPE-OCPHONE"), []byte("CPE-OCPHXNE"), 1)
			},
			[]string{`field changed: dhcp DISCOVER option 60 vendor class: "\"CPE-OCPHONE\" (4350452d4f4350484f4e45)", "\"CPE-OCPHXNE\" (4350452d4f435048584e45)"`},
		},
		"one header": {
			func(p *packets) {
				i := p.find(t, 0, "GET /CertProv", "Connection: Keep-Alive")
				p.list[i].data = bytes.Replace(p.list[i].data, []byte("Keep-Alive"), []byte("Keep-Alike"), 1)
			},
			[]string{`field changed: http GET /CertProv/CertProvisioningService.svc/mex Connection: "Keep-Alive", "Keep-Alike"`},
		},
		"one record dropped": {
			func(p *packets) {
				i := p.find(t, 0, dhcp(2))
				p.list = slices.Delete(p.list, i, i+1)
			},
			[]string{`message missing: dhcp OFFER : "", ""`},
		},
		"an answer of ARP dropped": {
			func(p *packets) {
				i := slices.IndexFunc(p.list, func(one packet) bool {
					return bytes.HasPrefix(one.data, handsetMAC) && bytes.HasPrefix(one.data[12:], []byte{8, 6}) && one.data[21] == 2
				})
				p.list = slices.Delete(p.list, i, i+1)
			},
			[]string{`message missing: arp answer of 10.20.0.1 : "", ""`},
		},
		"two frames swapped": {
			func(p *packets) {
				a := p.find(t, 0, dhcp(3))
				b := p.find(t, a, dhcp(5))
				p.list[a].data, p.list[b].data = p.list[b].data, p.list[a].data
			},
			[]string{`message order: dhcp REQUEST : "after dhcp received OFFER", "after dhcp received ACK"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := changedCapture(t, one.change)
			if got := differences(before, after.Exchange()); !slices.Equal(got, one.want) {
				t.Errorf("got  %q\nwant %q", got, one.want)
			}
		})
	}
}

// TestImportAsksWhichHandset: two handsets in one capture, and neither is taken before it is said which.
func TestImportAsksWhichHandset(t *testing.T) {
	first, _ := recordedBoot(t, "litware", rig.DefaultProfile, nil)
	second, recorded := recordedBoot(t, "contoso", "hp-4120-4.0.7577.4512", nil)
	p, other := readPackets(t, first), readPackets(t, second)
	p.list = append(p.list, other.list...)
	p.secrets = append(p.secrets, other.secrets...)
	both := p.write(t)
	_, err := importer.Read(t.Context(), both, importer.Options{})
	if err == nil {
		t.Fatal("one of two handsets was taken")
	}
	for _, want := range []string{
		importer.ErrSeveral.Error(), "--handset", "MAC 00:04:f2:08:99:21; IP 10.20.0.20; DHCP vendor class CPE-OCPHONE, MS-UC-Client; LLDP POLYCOM CX600 4.0.7577.4463; User-Agent CPE/4.0.7577.4463 ",
		"LLDP HP 4120 4.0.7577.4512; User-Agent CPE/4.0.7577.4512 ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	alone := imported(t, second, importer.Options{})
	for _, handset := range []string{alone.Handset.MAC.String(), alone.Handset.Addresses[0].String()} {
		b := imported(t, both, importer.Options{Handset: handset})
		if got := differences(recorded, b.Exchange()); len(got) > 0 {
			t.Errorf("%s: %s", handset, strings.Join(got, "\n"))
		}
	}
	for _, nobody := range []string{"00:04:f2:00:00:01", "10.9.9.9", "phone"} {
		if _, err := importer.Read(t.Context(), both, importer.Options{Handset: nobody}); err == nil || !strings.Contains(err.Error(), nobody) {
			t.Errorf("%s: %v", nobody, err)
		}
	}
}

// TestImportBehindRouter: at the pool both handsets have the router's MAC address, which is neither's; they are told apart by
// their addresses, and nothing is said of their model's.
func TestImportBehindRouter(t *testing.T) {
	routed := func(lab, profile string) *packets {
		capture, _ := recordedBoot(t, lab, profile, nil)
		p := readPackets(t, capture)
		var list []packet
		for _, one := range p.list {
			d := one.data
			if d[12] == 0x81 {
				d = slices.Concat(d[:12], d[16:])
			}
			if isIP := d[12] == 8 && d[13] == 0; !isIP || d[23] != 6 {
				continue
			}
			one.data = d
			copy(d[6:], []byte{2, 0xcc, 0, 0, 0, 1})
			d[22]--
			list = append(list, one)
		}
		p.list = list
		return p
	}
	p, other := routed("litware", rig.DefaultProfile), routed("contoso", "hp-4120-4.0.7577.4512")
	p.list = append(p.list, other.list...)
	p.secrets = append(p.secrets, other.secrets...)
	file := p.write(t)
	_, err := importer.Read(t.Context(), file, importer.Options{})
	if err == nil || !strings.Contains(err.Error(), "  IP 10.20.0.20; User-Agent CPE/4.0.7577.4463 ") || !strings.Contains(err.Error(), "  IP 10.30.200.50; User-Agent CPE/4.0.7577.4512 ") {
		t.Errorf("%v", err)
	}
	for address, firmware := range map[string]string{"10.20.0.20": "4.0.7577.4463", "10.30.200.50": "4.0.7577.4512"} {
		b := imported(t, file, importer.Options{Handset: address})
		draft := b.Draft()
		if !strings.HasSuffix(draft.Base, firmware) {
			t.Errorf("%s: base %s", address, draft.Base)
		}
		for _, f := range draft.Facts {
			if f.Name == "model.oui" || f.Name == "ip.ttl" {
				t.Errorf("%s: %+v", address, f)
			}
		}
		if len(b.Unread) > 0 || len(b.Associations) == 0 {
			t.Errorf("%s: unread %v, %d associations", address, b.Unread, len(b.Associations))
		}
	}
}

// TestImportWithServerKey decrypts with the key of the pool's servers alone.
func TestImportWithServerKey(t *testing.T) {
	var keys []*rsa.PrivateKey
	capture, recorded := recordedBoot(t, "litware", rig.DefaultProfile, func(o *rig.Options) {
		o.PoolKey = func(bits int) (*rsa.PrivateKey, error) {
			key, err := newRSA(bits)
			keys = append(keys, key)
			return key, err
		}
	})
	p := readPackets(t, capture)
	p.secrets = nil
	hidden := p.write(t)
	var read []string
	for _, key := range keys {
		b, err := importer.Read(t.Context(), hidden, importer.Options{ServerKey: keyFile(t, key)})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range b.Boot().Messages {
			if m.Protocol == "sip" {
				read = append(read, m.Kind)
			}
		}
	}
	want := 0
	for _, m := range recorded {
		if m.Protocol == "sip" {
			want++
		}
	}
	if len(read) != want {
		t.Errorf("%d SIP messages were decrypted, want %d", len(read), want)
	}
}

func newRSA(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }

func keyFile(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
