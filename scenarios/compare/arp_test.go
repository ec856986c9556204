package compare_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/compare"
)

// withARP is a boot with ARP: probes, an announcement, and what was asked for, by the handset and by others.
func withARP() []exchange.Message {
	list := boot()
	arp := func(at time.Duration, sent bool, kind, target string) {
		list = append(list, exchange.Message{At: at, Sent: sent, State: devicestate.AddressAcquire, Protocol: "arp", Kind: kind, Fields: []exchange.Field{field("target IP", target)}})
	}
	for n := range 3 {
		arp(4*time.Second+time.Duration(n)*time.Second, true, "probe", "10.0.0.2")
	}
	arp(7*time.Second, true, "announcement", "10.0.0.2")
	arp(8*time.Second, true, "request for 10.0.0.1", "10.0.0.1")
	arp(8*time.Second, false, "answer of 10.0.0.1", "10.0.0.2")
	arp(9*time.Second, false, "request by 10.0.0.9", "10.0.0.2")
	arp(9*time.Second, true, "answer to 10.0.0.9", "10.0.0.9")
	slices.SortStableFunc(list, func(x, y exchange.Message) int { return int(x.At - y.At) })
	return list
}

func TestCompareARP(t *testing.T) {
	drop := func(list []exchange.Message, kinds ...string) []exchange.Message {
		return slices.DeleteFunc(list, func(m exchange.Message) bool { return slices.Contains(kinds, m.Kind) })
	}
	for name, test := range map[string]struct {
		change func([]exchange.Message) []exchange.Message
		want   []string
	}{
		"nothing": {func(l []exchange.Message) []exchange.Message { return l }, nil},
		"nothing in another state": {func(l []exchange.Message) []exchange.Message {
			find(l, "request for 10.0.0.1").State = devicestate.UpdateLookup
			return l
		}, nil},
		"announced later": {func(l []exchange.Message) []exchange.Message {
			again := *find(l, "announcement")
			again.At += 2 * time.Second
			l = slices.Delete(l, at(l, "announcement"), at(l, "announcement")+1)
			return slices.Insert(l, at(l, "request for 10.0.0.1")+1, again)
		}, []string{"arp sent announcement in AddressAcquire: comes after 1s in A, after 3s in B"}},
		"announced again": {func(l []exchange.Message) []exchange.Message {
			again := *find(l, "announcement")
			again.At += 2 * time.Second
			return append(l, again)
		}, nil},
		"not announced": {
			func(l []exchange.Message) []exchange.Message { return drop(l, "announcement") },
			[]string{"arp sent announcement in AddressAcquire: missing in B"},
		},
		"asked again, later": {func(l []exchange.Message) []exchange.Message {
			again := []exchange.Message{*find(l, "request for 10.0.0.1"), *find(l, "answer of 10.0.0.1")}
			for i := range again {
				again[i].At = time.Hour
			}
			return append(l, again...)
		}, nil},
		"asked again, before": {func(l []exchange.Message) []exchange.Message {
			return slices.Insert(l, at(l, "probe"), *find(l, "request for 10.0.0.1"))
		}, nil},
		"others do not ask": {func(l []exchange.Message) []exchange.Message {
			return drop(l, "request by 10.0.0.9", "answer to 10.0.0.9")
		}, nil},
		"one probe less": {func(l []exchange.Message) []exchange.Message {
			i := at(l, "probe")
			return slices.Delete(l, i, i+1)
		}, []string{"arp sent probe in AddressAcquire: missing in B"}},
		"not asked for": {
			func(l []exchange.Message) []exchange.Message { return drop(l, "request for 10.0.0.1") },
			[]string{"arp sent request for 10.0.0.1 in AddressAcquire: missing in B"},
		},
		"not answered": {
			func(l []exchange.Message) []exchange.Message { return drop(l, "answer of 10.0.0.1") },
			[]string{"arp received answer of 10.0.0.1 in AddressAcquire: missing in B"},
		},
		"answered before": {func(l []exchange.Message) []exchange.Message {
			a, b := at(l, "request for 10.0.0.1"), at(l, "answer of 10.0.0.1")
			l[a], l[b] = l[b], l[a]
			return l
		}, []string{"arp sent request for 10.0.0.1 in AddressAcquire: stands elsewhere: the first in A, after arp received answer of 10.0.0.1 in B"}},
		"probes in haste": {func(l []exchange.Message) []exchange.Message {
			for i := range l {
				if l[i].Kind == "probe" {
					l[i].At = 4 * time.Second
				}
			}
			return l
		}, []string{"arp sent probe in AddressAcquire: comes after 1s in A, at once in B", "arp sent probe in AddressAcquire: comes after 1s in A, at once in B", "arp sent announcement in AddressAcquire: comes after 1s in A, after 3s in B"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range compare.Compare(withARP(), test.change(withARP()), compare.DefaultMasks()) {
				got = append(got, d.Where()+": "+d.Sentence())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Where one side cannot know ARP it is not compared, and that is said, also where nothing differs.
func TestWithoutARP(t *testing.T) {
	c := compare.Sides(compare.Side{Name: "a", Messages: withARP()}, compare.Side{Name: "b", Messages: boot()}, compare.DefaultMasks())
	if len(c.Differences) > 0 || len(c.Reservations()) != 1 {
		t.Fatalf("%+v", c)
	}
	for name, write := range map[string]func() (string, error){
		"JSON": func() (string, error) { var b bytes.Buffer; err := compare.WriteJSON(&b, c); return b.String(), err },
		"HTML": func() (string, error) { var b bytes.Buffer; err := compare.WriteHTML(&b, c); return b.String(), err },
	} {
		text, err := write()
		want := map[string]string{"JSON": `"not_compared": [`, "HTML": "<p>ARP is not compared"}[name]
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("%s: %v, %s", name, err, text)
		}
	}
	both := compare.Sides(compare.Side{Messages: withARP()}, compare.Side{Messages: withARP()}, compare.DefaultMasks())
	if len(both.Reservations()) > 0 {
		t.Error(both.Reservations())
	}
}
