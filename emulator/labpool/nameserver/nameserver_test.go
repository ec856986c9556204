package nameserver

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func config() Config {
	return Config{
		Zones: []string{"contoso.com", "Litwareinc.com."},
		Hosts: map[string][]netip.Addr{
			"lyncpool.contoso.com":      addrs("10.77.0.10", "10.77.0.11"),
			"web.contoso.com.":          addrs("10.77.0.12"),
			"time.windows.com":          addrs("10.77.0.1"),
			"deep.a.b.c.Litwareinc.com": addrs("10.77.0.13"),
		},
		Services: map[string][]Service{
			"_sipinternaltls._tcp.contoso.com": {{Priority: 0, Weight: 5, Port: 5061, Target: "lyncpool.contoso.com"}},
			"_ntp._udp.contoso.com":            {{Port: 123, Target: "dc.elsewhere.example"}},
		},
		WebName: "web.contoso.com",
	}
}

func server(t *testing.T, cfg Config) (*Server, *[]timeline.Observation) {
	t.Helper()
	var seen []timeline.Observation
	cfg.Timeline = timeline.New("pool")
	cfg.Timeline.Observe(func(o timeline.Observation) { seen = append(seen, o) })
	conn := newSocket()
	cfg.Station = station{conn: conn}
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, &seen
}

func ask(kind dnsmessage.Type, name string) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 0x1234, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// summary is an answer in one line: code, flags, then the records.
func summary(t *testing.T, b []byte) string {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil {
		t.Fatal(err)
	}
	if !m.Response || !m.RecursionAvailable {
		t.Errorf("header %+v", m.Header)
	}
	text := codeName(m.RCode)
	if m.Authoritative {
		text += " aa"
	}
	if m.Truncated {
		text += " tc"
	}
	for _, section := range [][]dnsmessage.Resource{m.Answers, m.Additionals} {
		text += " |"
		for _, r := range section {
			switch body := r.Body.(type) {
			case *dnsmessage.AResource:
				text += fmt.Sprintf(" %s %s", r.Header.Name, netip.AddrFrom4(body.A))
			case *dnsmessage.SRVResource:
				text += fmt.Sprintf(" %d %d %d %s", body.Priority, body.Weight, body.Port, body.Target)
			case *dnsmessage.OPTResource:
				text += " opt"
			}
		}
	}
	return text
}

func TestLookup(t *testing.T) {
	const (
		a, aaaa, srv = dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeSRV
		both         = " lyncpool.contoso.com. 10.77.0.10 lyncpool.contoso.com. 10.77.0.11"
	)
	for _, test := range []struct {
		kind dnsmessage.Type
		name string
		glue bool
		want string
	}{
		{a, "lyncpool.contoso.com.", false, "NOERROR aa |" + both + " |"},
		{a, "LyncPool.Contoso.COM.", false, "NOERROR aa |" + strings.ReplaceAll(both, "lyncpool.contoso.com", "LyncPool.Contoso.COM") + " |"},
		{aaaa, "lyncpool.contoso.com.", false, "NOERROR aa | |"},
		{srv, "lyncpool.contoso.com.", false, "NOERROR aa | |"},
		{srv, "_sipinternaltls._tcp.contoso.com.", false, "NOERROR aa | 0 5 5061 lyncpool.contoso.com. |"},
		{srv, "_sipinternaltls._tcp.contoso.com.", true, "NOERROR aa | 0 5 5061 lyncpool.contoso.com. |" + both},
		{srv, "_ntp._udp.contoso.com.", true, "NOERROR aa | 0 0 123 dc.elsewhere.example. |"},
		{a, "_sipinternaltls._tcp.contoso.com.", false, "NOERROR aa | |"},
		{a, "_tcp.contoso.com.", false, "NOERROR aa | |"},
		{a, "b.c.litwareinc.com.", false, "NOERROR aa | |"},
		{a, "contoso.com.", false, "NOERROR aa | |"},
		{a, "sip.contoso.com.", false, "NXDOMAIN aa | |"},
		{srv, "_sip._tls.contoso.com.", false, "NXDOMAIN aa | |"},
		{a, "time.windows.com.", false, "NOERROR aa | time.windows.com. 10.77.0.1 |"},
		{a, "windows.com.", false, "REFUSED | |"},
		{a, "notcontoso.com.", false, "REFUSED | |"},
		{a, ".", false, "REFUSED | |"},
	} {
		t.Run(typeName(test.kind)+" "+test.name, func(t *testing.T) {
			cfg := config()
			cfg.Glue = test.glue
			s, _ := server(t, cfg)
			reply, ok := s.answer(ask(test.kind, test.name), "handset")
			if !ok {
				t.Fatal("no answer")
			}
			if got := summary(t, reply); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
			if hex.EncodeToString(reply[:2]) != "1234" || reply[2]&1 == 0 {
				t.Errorf("id and recursion flag are not copied: % x", reply[:4])
			}
		})
	}
}

func TestQueriesRefused(t *testing.T) {
	good := ask(dnsmessage.TypeA, "contoso.com.")
	edit := func(change func(*dnsmessage.Message)) []byte {
		var m dnsmessage.Message
		if err := m.Unpack(good); err != nil {
			t.Fatal(err)
		}
		change(&m)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, test := range []struct {
		name  string
		query []byte
		want  string // "": no answer
		noted string
	}{
		{"short", good[:11], "", "dns: "},
		{"answer", edit(func(m *dnsmessage.Message) { m.Response = true }), "", "an answer, a query expected"},
		{"cut question", good[:20], "FORMERR | |", "FORMERR"},
		{"no question", edit(func(m *dnsmessage.Message) { m.Questions = nil }), "FORMERR | |", "0 questions"},
		{"two questions", edit(func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions...) }), "FORMERR | |", "2 questions"},
		{"cut additional", edit(func(m *dnsmessage.Message) { m.Additionals = []dnsmessage.Resource{opt()} })[:35], "FORMERR | |", "FORMERR"},
		{"update", edit(func(m *dnsmessage.Message) { m.OpCode = 5 }), "NOTIMP | |", "NOTIMP"},
		{"class", edit(func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }), "REFUSED | |", "REFUSED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, seen := server(t, config())
			reply, ok := s.answer(test.query, "handset")
			if ok != (test.want != "") {
				t.Fatalf("answered: %v", ok)
			}
			if ok && summary(t, reply) != test.want {
				t.Errorf("%s, want %s", summary(t, reply), test.want)
			}
			noted := false
			for _, o := range *seen {
				noted = noted || strings.Contains(o.Text, test.noted)
			}
			if !noted {
				t.Errorf("observations %+v, want %q", *seen, test.noted)
			}
		})
	}
}

func TestAnswersAreBounded(t *testing.T) {
	cfg := config()
	var many []netip.Addr
	for i := range 60 {
		many = append(many, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	cfg.Hosts["many.contoso.com"] = many
	s, _ := server(t, cfg)
	plain := ask(dnsmessage.TypeA, "many.contoso.com.")
	reply, _ := s.answer(plain, "handset")
	if got := summary(t, reply); got != "NOERROR aa tc | |" {
		t.Errorf("plain query: %s", got)
	}
	var m dnsmessage.Message
	if err := m.Unpack(plain); err != nil {
		t.Fatal(err)
	}
	m.Additionals = []dnsmessage.Resource{opt()}
	edns, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	reply, _ = s.answer(edns, "handset")
	if got := summary(t, reply); strings.Contains(got, "tc") || strings.Count(got, "10.0.0.") != 60 || !strings.HasSuffix(got, "opt") || len(reply) > ednsSize {
		t.Errorf("EDNS query: %d bytes, %s", len(reply), got)
	}
}

func TestFaults(t *testing.T) {
	const pool, service, web = "lyncpool.contoso.com.", "_sipinternaltls._tcp.contoso.com.", "web.contoso.com."
	for _, test := range []struct {
		fault            string
		pool, srv, hides string // codes, "" for silence
	}{
		{"dns=silent", "", "", ""},
		{"dns=servfail", "SERVFAIL", "SERVFAIL", "SERVFAIL"},
		{"dns=nxdomain", "NXDOMAIN", "NXDOMAIN", "NXDOMAIN"},
		{"dns=no-srv", "NOERROR", "NXDOMAIN", "NOERROR"},
		{"dns=no-web-name", "NOERROR", "NOERROR", "NXDOMAIN"},
	} {
		t.Run(test.fault, func(t *testing.T) {
			cfg := config()
			cfg.Faults = faults.NewSet(faults.Fault{Name: test.fault})
			s, seen := server(t, cfg)
			for _, q := range []struct {
				kind       dnsmessage.Type
				name, want string
			}{{dnsmessage.TypeA, pool, test.pool}, {dnsmessage.TypeSRV, service, test.srv}, {dnsmessage.TypeA, web, test.hides}} {
				reply, ok := s.answer(ask(q.kind, q.name), "handset")
				code := ""
				if ok {
					code, _, _ = strings.Cut(summary(t, reply), " ")
				}
				if code != q.want {
					t.Errorf("%s: %q, want %q", q.name, code, q.want)
				}
			}
			struck := false
			for _, o := range *seen {
				struck = struck || strings.Contains(o.Text, test.fault)
			}
			if !struck {
				t.Error("the fault is not in the timeline")
			}
		})
	}
}

func TestConfigRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"IPv6":      func(c *Config) { c.Hosts["six.contoso.com"] = addrs("2001:db8::1") },
		"no record": func(c *Config) { c.Hosts["none.contoso.com"] = nil },
		"label":     func(c *Config) { c.Hosts["a..contoso.com"] = addrs("10.0.0.1") },
		"target":    func(c *Config) { c.Services["_a._b.contoso.com"] = []Service{{Target: strings.Repeat("a", 64)}} },
		"services":  func(c *Config) { c.Services["_a._b.contoso.com"] = make([]Service, 65) },
	} {
		cfg := config()
		cfg.Station = station{conn: newSocket()}
		change(&cfg)
		if _, err := Start(cfg); err == nil || !strings.HasPrefix(err.Error(), "name server: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(ask(dnsmessage.TypeA, "lyncpool.contoso.com."))
	f.Add(ask(dnsmessage.TypeSRV, "_sipinternaltls._tcp.contoso.com."))
	cfg := config()
	cfg.Station = station{conn: newSocket()}
	s, err := Start(cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, query []byte) {
		reply, ok := s.answer(query, "handset")
		if !ok {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil {
			t.Fatalf("answer %x: %v", reply, err)
		}
		if m.ID != uint16(query[0])<<8|uint16(query[1]) || !m.Response {
			t.Errorf("answer %+v", m.Header)
		}
	})
}

func TestOverTheSocket(t *testing.T) {
	s, _ := server(t, config())
	conn := s.conn.(*socket)
	conn.in <- []byte("not DNS")
	conn.in <- make([]byte, maxQuery+1)
	conn.in <- ask(dnsmessage.TypeA, "web.contoso.com.")
	if got := summary(t, <-conn.out); got != "NOERROR aa | web.contoso.com. 10.77.0.12 |" {
		t.Error(got)
	}
}

// station is a Station with one UDP socket.
type station struct {
	ethernet.Station
	conn *socket
}

func (s station) ListenTCP(uint16) (net.Listener, error) { return silent{s.conn.closed}, nil }

// silent is a listener to whom nobody connects.
type silent struct{ closed chan struct{} }

func (silent) Addr() net.Addr { return nil }

func (l silent) Accept() (net.Conn, error) {
	<-l.closed
	return nil, net.ErrClosed
}

func (l silent) Close() error { return nil }

func (s station) ListenUDP(port uint16) (net.PacketConn, error) {
	if port != Port {
		return nil, fmt.Errorf("port %d", port)
	}
	return s.conn, nil
}

// socket gives what was put into in and keeps what was written in out.
type socket struct {
	net.PacketConn
	in, out chan []byte
	closed  chan struct{}
}

func newSocket() *socket {
	return &socket{in: make(chan []byte), out: make(chan []byte, 1), closed: make(chan struct{})}
}

func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case in := <-s.in:
		return copy(b, in), &net.UDPAddr{IP: net.IPv4(10, 77, 0, 100), Port: 1025}, nil
	case <-s.closed:
		return 0, nil, net.ErrClosed
	}
}

func (s *socket) WriteTo(b []byte, _ net.Addr) (int, error) {
	s.out <- append([]byte{}, b...)
	return len(b), nil
}

func (s *socket) Close() error {
	close(s.closed)
	return nil
}
