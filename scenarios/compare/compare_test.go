package compare_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/scenarios/compare"
)

func field(name, value string) exchange.Field { return exchange.Field{Name: name, Value: value} }

// boot is a boot in short, each time with other fresh values and another order of what goes on in parallel.
func boot() []exchange.Message {
	port, tag := 1024+rand.IntN(60000), fmt.Sprint(rand.Uint32())
	at := 0 * time.Second
	var out []exchange.Message
	add := func(after time.Duration, state devicestate.State, sent bool, protocol, kind string, fields ...exchange.Field) {
		at += after
		out = append(out, exchange.Message{At: at, State: state, Sent: sent, Protocol: protocol, Kind: kind, Fields: fields})
	}
	sip := func(sent bool, kind string, fields ...exchange.Field) {
		add(0, devicestate.Register, sent, "sip", kind, append([]exchange.Field{
			field("Via", fmt.Sprintf("SIP/2.0/TLS 10.0.0.2:%d", port)), {Name: "From;tag", Value: tag, Origin: timeline.Fresh},
		}, fields...)...)
	}
	add(0, devicestate.LinkDetect, true, "lldp", "LLDPDU", field("time to live", "120 s"))
	add(3*time.Second, devicestate.AddressAcquire, true, "dhcp", "DISCOVER", field("secs", "0"), field("option 53 message type", "DISCOVER (01)"),
		field("option 60 vendor class", `"CPE-OCPHONE"`), field("option 55 parameter request list", "1,3,6"))
	add(0, devicestate.AddressAcquire, false, "dhcp", "OFFER")
	questions := []string{"SRV _sip._tls.x", "A sip.x", "A pool.x"}
	rand.Shuffle(len(questions), func(i, j int) { questions[i], questions[j] = questions[j], questions[i] })
	for _, q := range questions {
		add(0, devicestate.PoolDiscover, true, "dns", q, field("question", q))
	}
	rand.Shuffle(len(questions), func(i, j int) { questions[i], questions[j] = questions[j], questions[i] })
	for _, q := range questions {
		add(0, devicestate.PoolDiscover, false, "dns", "answer to "+q+": Success", field("question", q), field("A x.", fmt.Sprintf("10.0.0.1, TTL %d s", rand.IntN(99))))
	}
	sip(true, "REGISTER 1", field("User-Agent", "CPE/4"), field("Supported", "gruu"), field("Supported[2]", "ms-forking"), field("Supported[3]", "msrtc"), field("Event", "registration"))
	sip(false, "401 Unauthorized to REGISTER 1", field("Date", "x"))
	sip(true, "REGISTER 2", field("User-Agent", "CPE/4"))
	sip(false, "200 OK to REGISTER 2")
	return out
}

func find(list []exchange.Message, kind string) *exchange.Message {
	return &list[slices.IndexFunc(list, func(m exchange.Message) bool { return m.Kind == kind })]
}

func at(list []exchange.Message, kind string) int {
	return slices.IndexFunc(list, func(m exchange.Message) bool { return m.Kind == kind })
}

// What a peer said does nothing to a terminal and is no part of a page.
func TestHostileText(t *testing.T) {
	one := []exchange.Message{{Protocol: "http", Kind: "200 \x1b[2J<script>", Fields: []exchange.Field{field("\x1b]0;x\x07", "<b>\x1b")}}}
	c := compare.Sides(compare.Side{Name: "\x1b[1m"}, compare.Side{Name: "<i>", Messages: one}, compare.DefaultMasks())
	var text, page bytes.Buffer
	if err := compare.WriteText(&text, c); err != nil {
		t.Fatal(err)
	}
	if err := compare.WriteHTML(&page, c); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\x07") || !strings.Contains(text.String(), "200 \uFFFD[2J<script>") {
		t.Errorf("%q", text.String())
	}
	if strings.Contains(page.String(), "<script>") || strings.Contains(page.String(), "<i>") {
		t.Error(page.String())
	}
}

// Each change of one boot is named, and nothing else.
func TestCompare(t *testing.T) {
	later := func(list []exchange.Message, from int, by time.Duration) []exchange.Message {
		for i := from; i < len(list); i++ {
			list[i].At += by
		}
		return list
	}
	for name, test := range map[string]struct {
		change func([]exchange.Message) []exchange.Message
		want   []string
	}{
		"nothing": {func(l []exchange.Message) []exchange.Message { return l }, nil},
		"header": {func(l []exchange.Message) []exchange.Message {
			find(l, "REGISTER 1").Fields[2].Value = "CPE/5"
			return l
		}, []string{`sip sent REGISTER 1 in Register: User-Agent is "CPE/4" in A, "CPE/5" in B`}},
		"header missing": {func(l []exchange.Message) []exchange.Message {
			m := find(l, "REGISTER 2")
			m.Fields = m.Fields[:2]
			return l
		}, []string{`sip sent REGISTER 2 in Register: User-Agent is missing in B: "CPE/4" in A`}},
		"one of several headers missing": {func(l []exchange.Message) []exchange.Message {
			m := find(l, "REGISTER 1")
			m.Fields = slices.Delete(m.Fields, 3, 4)
			m.Fields[3].Name, m.Fields[4].Name = "Supported", "Supported[2]"
			return l
		}, []string{`sip sent REGISTER 1 in Register: Supported is missing in B: "gruu" in A`}},
		"header added": {func(l []exchange.Message) []exchange.Message {
			m := find(l, "REGISTER 1")
			m.Fields = append(m.Fields, field("Expires", "0"))
			return l
		}, []string{`sip sent REGISTER 1 in Register: Expires is only in B: "0"`}},
		"fresh value missing": {func(l []exchange.Message) []exchange.Message {
			m := find(l, "REGISTER 1")
			m.Fields = slices.Delete(m.Fields, 1, 2)
			return l
		}, []string{`sip sent REGISTER 1 in Register: From;tag is missing in B: "TAG" in A`}},
		"option elsewhere": {func(l []exchange.Message) []exchange.Message {
			f := find(l, "DISCOVER").Fields
			f[1], f[2], f[3] = f[2], f[3], f[1]
			return l
		}, []string{`dhcp sent DISCOVER in AddressAcquire: option 53 message type stands elsewhere: after secs in A, after option 55 parameter request list in B`}},
		"message missing": {func(l []exchange.Message) []exchange.Message {
			i := at(l, "OFFER")
			return slices.Delete(l, i, i+1)
		}, []string{`dhcp received OFFER in AddressAcquire: missing in B`}},
		"question missing": {func(l []exchange.Message) []exchange.Message {
			i := at(l, "A sip.x")
			return slices.Delete(l, i, i+1)
		}, []string{`dns sent A sip.x in PoolDiscover: missing in B`}},
		"message added": {func(l []exchange.Message) []exchange.Message {
			return append(l, exchange.Message{At: l[len(l)-1].At, State: devicestate.Ready, Protocol: "sip", Kind: "NOTIFY 1"})
		}, []string{`sip received NOTIFY 1 in Ready: only in B`}},
		"the last two of a state swapped": {func(l []exchange.Message) []exchange.Message {
			d, o := at(l, "DISCOVER"), at(l, "OFFER")
			l[d], l[o] = l[o], l[d]
			l[d].At, l[o].At = l[o].At, l[d].At
			return l
		}, []string{`dhcp sent DISCOVER in AddressAcquire: stands elsewhere: after dhcp received FORCERENEW in A, after dhcp received OFFER in B`}},
		"messages swapped": {func(l []exchange.Message) []exchange.Message {
			i := at(l, "REGISTER 2")
			l[i], l[i+1] = l[i+1], l[i]
			return l
		}, []string{`sip sent REGISTER 2 in Register: stands elsewhere: after sip received 401 Unauthorized to REGISTER 1 in A, after sip received 200 OK to REGISTER 2 in B`}},
		"another message": {func(l []exchange.Message) []exchange.Message {
			find(l, "200 OK to REGISTER 2").Kind = "403 Forbidden to REGISTER 2"
			return l
		}, []string{`sip received 200 OK to REGISTER 2 in Register: is another message: "200 OK to REGISTER 2" in A, "403 Forbidden to REGISTER 2" in B`}},
		"timer": {func(l []exchange.Message) []exchange.Message { return later(l, at(l, "DISCOVER"), time.Second) }, []string{
			`dhcp sent DISCOVER in AddressAcquire: comes after 3s in A, after 4s in B`,
		}},
		"no timer": {func(l []exchange.Message) []exchange.Message {
			return later(l, at(l, "DISCOVER"), 100*time.Millisecond)
		}, nil},
		"state": {func(l []exchange.Message) []exchange.Message {
			find(l, "DISCOVER").State, find(l, "OFFER").State = devicestate.VlanDiscover, devicestate.VlanDiscover
			return l
		}, []string{`dhcp sent DISCOVER in AddressAcquire: in state AddressAcquire in A, VlanDiscover in B`}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				var got []string
				a := boot()
				a = slices.Insert(a, 1, exchange.Message{At: 0, State: "LinkDetect", Protocol: "dhcp", Kind: "FORCERENEW"}) // something to count the first gap from
				b := boot()
				b = slices.Insert(b, 1, exchange.Message{At: 0, State: "LinkDetect", Protocol: "dhcp", Kind: "FORCERENEW"})
				tag := a[len(a)-1].Fields[1].Value
				for _, d := range compare.Compare(a, test.change(b), compare.DefaultMasks()) {
					got = append(got, strings.ReplaceAll(d.Where()+": "+d.Sentence(), tag, "TAG"))
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Fatalf("-want +got:\n%s", diff)
				}
			}
		})
	}
}

// States that are entered are compared only where both sides have them.
func TestStates(t *testing.T) {
	states := func(names ...string) (out []exchange.Message) {
		for i, n := range names {
			out = append(out, exchange.Message{At: time.Duration(i) * time.Second, Protocol: exchange.ProtocolState, State: devicestate.State(n), Kind: n, Fields: []exchange.Field{field("glass", n)}})
		}
		return out
	}
	for _, test := range []struct {
		a, b []exchange.Message
		want []string
	}{
		{states("A", "B"), nil, nil},
		{states("A", "B", "C"), states("A", "C"), []string{"state B: missing in B"}}, // and the gap before C is another one,
		{states("A", "B"), states("A", "C"), []string{"state B: missing in B", "state C: only in B"}},
	} {
		var got []string
		for _, d := range compare.Compare(test.a, test.b, nil) {
			got = append(got, d.Where()+": "+d.Sentence())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestProfiles(t *testing.T) {
	load := func(name string) compare.Side {
		p, err := configs.LoadProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		return compare.Profile(p)
	}
	a, b := load("polycom-cx600-4.0.7577.4463"), load("polycom-cx600-4.0.7577.4387")
	c := compare.Sides(a, b, compare.DefaultMasks())
	var text bytes.Buffer
	if err := compare.WriteText(&text, c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A polycom-cx600-4.0.7577.4463\nB polycom-cx600-4.0.7577.4387\nprofile (message 1)\n", `firmware.version is "4.0.7577.4463" in A, "4.0.7577.4387" in B`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	text.Reset()
	if err := compare.WriteText(&text, compare.Sides(a, a, nil)); err != nil || text.Len() > 0 {
		t.Errorf("a profile differs from itself: %v %s", err, text.String())
	}
}
