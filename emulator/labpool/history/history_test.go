package history_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	a = "sip:a@example.com"
	b = "sip:b@example.com"
)

// book is a record that observes a timeline.
type book struct {
	*history.Record
	t        *testing.T
	timeline *timeline.Timeline
}

func newBook(t *testing.T) *book {
	names := map[string]string{a: a, b: b, "1219": a, "b": b}
	r := &book{history.New(func(who string) (string, bool) { sip, ok := names[who]; return sip, ok }), t, timeline.New("lab")}
	r.timeline.Observe(r.Observe)
	return r
}

// see adds an observation; the fields are name=value.
func (r *book) see(protocol, peer, text string, fields ...string) {
	o := timeline.Observation{Kind: timeline.Received, Protocol: protocol, Peer: peer, Text: text}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		o.Fields = append(o.Fields, timeline.Field{Name: name, Value: value})
	}
	r.timeline.Add(o)
}

func texts(entries []history.Entry) string {
	var out []string
	last := uint64(0)
	for _, e := range entries {
		if e.Seq <= last {
			return fmt.Sprintf("out of order: %d after %d", e.Seq, last)
		}
		last = e.Seq
		out = append(out, e.Text)
	}
	return strings.Join(out, " ")
}

func (r *book) want(sip, want string) {
	r.t.Helper()
	if got := texts(r.Of(sip, 0)); got != want {
		r.t.Errorf("%s: %q, want %q", sip, got, want)
	}
}

// TestOf attributes what tells no user: by its connection, then by its address, which DHCP links with a MAC address.
func TestOf(t *testing.T) {
	r := newBook(t)
	r.see("lldp", "00:04:f2:00:00:01", "lldp1")
	r.see("dhcp", "00:04:f2:00:00:01", "discover1")
	r.see("dhcp", "00:04:f2:00:00:01", "ack1", "yiaddr=10.0.0.20")
	r.see("dhcp", "00:04:f2:00:00:02", "inform2", "ciaddr=10.0.0.21", "yiaddr=0.0.0.0")
	r.see("dhcp", "00:04:f2:00:00:03", "discover3")
	r.see("dns", "10.0.0.20:5000", "dns1")
	r.see("https", "10.0.0.20:5001", "mex1")
	r.see("https", "10.0.0.20:5001", "ticket1", "who="+a, "auth=pin")
	r.see("https", "10.0.0.21:5001", "ticket2", "who="+b, "auth=pin")
	r.see("sip", "10.0.0.20:5002", "handshake1", "who="+a)
	r.see("sip", "10.0.0.20:5002", "register1", "who="+a, "auth=tls-dsk")
	r.see("sip", "10.0.0.20:5002", "ended1")
	r.see("https", "10.0.0.99:7", "wrong1", "who=1219", "refused=ticket.pin")
	r.see("https", "10.0.0.99:7", "wrong9", "who=9999", "refused=ticket.number")
	r.see("", "", "note")
	r.want(a, "lldp1 discover1 ack1 dns1 mex1 ticket1 handshake1 register1 ended1 wrong1")
	r.want(b, "inform2 ticket2")
	if got := texts(r.All(0)); strings.Count(got, " ") != 14 {
		t.Errorf("all: %s", got)
	}
	if got := texts(r.All(13)); got != "wrong9 note" {
		t.Errorf("after 13: %s", got)
	}
	if got := texts(r.Of(a, 11)); got != "ended1 wrong1" {
		t.Errorf("after 11: %s", got)
	}
}

// TestAddressOfTwoUsers: what comes before a user is his, what comes after the last is his as well.
func TestAddressOfTwoUsers(t *testing.T) {
	r := newBook(t)
	for _, step := range []struct{ text, who string }{
		{"dns1", ""}, {"ticket1", a}, {"dns2", ""}, {"ticket2", a}, {"dns3", ""}, {"ticket3", b}, {"dns4", ""},
	} {
		port := map[string]string{a: "1", b: "2"}[step.who]
		if step.who == "" {
			r.see("dns", "10.0.0.20:53", step.text)
		} else {
			r.see("https", "10.0.0.20:"+port, step.text, "who="+step.who, "auth=pin")
		}
	}
	r.want(a, "dns1 ticket1 dns2 ticket2")
	r.want(b, "dns3 ticket3 dns4")
}

// TestLoopback: where all handsets have one address it tells a user only while there is one alone.
func TestLoopback(t *testing.T) {
	r := newBook(t)
	r.see("http", "127.0.0.1:1", "chain1")
	r.see("https", "127.0.0.1:2", "ticket1", "who="+a, "auth=pin")
	r.want(a, "chain1 ticket1")
	r.see("https", "127.0.0.1:3", "mex2")
	r.see("https", "127.0.0.1:3", "ticket2", "who="+b, "auth=basic")
	r.see("https", "127.0.0.1:3", "more2")
	r.want(a, "ticket1")
	r.want(b, "mex2 ticket2 more2")
}

func TestLatest(t *testing.T) {
	r := newBook(t)
	want := func(text string) {
		t.Helper()
		if e, ok := r.Latest(a); ok != (text != "") || e.Text != text {
			t.Errorf("latest is %q, want %q", e.Text, text)
		}
	}
	want("")
	r.see("sip", "10.0.0.20:1", "claimed", "who="+a) // neither proved nor refused
	want("")
	r.see("https", "10.0.0.20:2", "wrong", "who=1219", "refused=ticket.pin")
	want("wrong")
	r.see("https", "10.0.0.20:2", "right", "who="+a, "auth=pin")
	want("right")
	r.see("https", "10.0.0.20:2", "another", "who=b", "refused=ticket.pin")
	r.see("https", "10.0.0.20:2", "no name", "refused=ticket.path")
	want("right")
}

func TestChanged(t *testing.T) {
	r := newBook(t)
	first, same := r.Changed(), r.Changed()
	if first != same {
		t.Error("who waits at one time waits for two things")
	}
	select {
	case <-first:
		t.Error("changed without an entry")
	default:
	}
	r.see("dns", "10.0.0.20:53", "x")
	<-first
	select {
	case <-r.Changed():
		t.Error("changed again")
	default:
	}
}

// TestBounds: noise costs the noisy their own entries, and the record no more than its bounds.
func TestBounds(t *testing.T) {
	r := newBook(t)
	r.see("sip", "10.0.0.20:1", "quiet", "who="+a, "auth=tls-dsk")
	for n := range 5000 {
		r.see("sip", fmt.Sprintf("10.0.0.99:%d", n+1), "noise", "who="+b, "auth=tls-dsk")
	}
	r.want(a, "quiet")
	if n := len(r.Of(b, 0)); n != 1000 {
		t.Errorf("%d entries of one user, want 1000", n)
	}
	if first := r.Of(b, 0)[0].Seq; first != 4002 {
		t.Errorf("the oldest that is kept is number %d", first)
	}
	for n := range 110_000 {
		r.see("dns", fmt.Sprintf("10.%d.%d.1:53", n/250%200, n%250), "many")
	}
	if n := len(r.All(0)); n > 100_000 || n < 90_000 {
		t.Errorf("%d entries in all", n)
	}
	entries := r.All(0)
	if !slices.IsSortedFunc(entries, func(x, y history.Entry) int { return int(x.Seq) - int(y.Seq) }) || entries[len(entries)-1].Seq != 115_001 {
		t.Error("not in order to the last")
	}
}
