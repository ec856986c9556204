package rig_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// relay stands between the handset and the registrars and changes what the signatures of TLS-DSK do not cover: Contact
// and body (sip.md §3.1). It has certificates of the lab's authority.
type relay struct {
	*setting
	run    *rig.Run
	names  map[netip.Addr]string
	change func(toPool bool, m *message)
	open   sync.WaitGroup
}

// viaRelay boots by way of a relay.
func viaRelay(t *testing.T, lab string, names map[string]string, change func(toPool bool, m *message), f func(*relay, *wiretap)) {
	t.Helper()
	virtual(t, lab, rig.DefaultProfile, func(s *setting) {
		r := &relay{setting: s, names: map[netip.Addr]string{}, change: change}
		for address, name := range names {
			r.names[netip.MustParseAddr(address)] = name
		}
		tap := s.onWiretap()
		tap.dial = r.dial
		r.run = s.start()
		defer func() {
			if err := r.run.Close(); err != nil {
				t.Error(err)
			}
			r.open.Wait()
		}()
		s.wantSuccess(r.run.Boot(context.Background()))
		f(r, tap)
	})
}

func (r *relay) dial(ctx context.Context, station ethernet.Station, to netip.AddrPort) (net.Conn, error) {
	raw, err := station.DialTCP(ctx, to)
	if err != nil || to.Port() != 5061 {
		return raw, err
	}
	certificate, err := r.run.Pool.Authority.Server([]string{r.names[to.Addr()]}, authority.ServerOptions{})
	if err != nil {
		return nil, err
	}
	suites := []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	near, far := net.Pipe()
	handset := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS10, CipherSuites: suites})
	pool := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: suites})
	r.open.Go(func() { r.pass(pool, handset, true) })
	r.open.Go(func() { r.pass(handset, pool, false) })
	return addressed{near, raw}, nil
}

// addressed is a connection with the addresses of another one.
type addressed struct {
	net.Conn
	of net.Conn
}

func (a addressed) LocalAddr() net.Addr  { return a.of.LocalAddr() }
func (a addressed) RemoteAddr() net.Addr { return a.of.RemoteAddr() }

// pass hands messages on until one side ends.
func (r *relay) pass(to, from net.Conn, toPool bool) {
	defer to.Close()
	defer from.Close()
	in := bufio.NewReader(from)
	for {
		m, err := readMessage(in)
		if err != nil {
			return
		}
		r.change(toPool, &m)
		if _, err := io.WriteString(to, m.wire()); err != nil {
			return
		}
	}
}

func readMessage(in *bufio.Reader) (m message, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return m, err
		}
		if line = strings.TrimSuffix(line, "\r\n"); line == "" {
			break
		}
		m.head = append(m.head, line)
	}
	n, _ := strconv.Atoi(m.value("Content-Length"))
	body := make([]byte, n)
	_, err = io.ReadFull(in, body)
	m.body = string(body)
	return m, err
}

func (m message) wire() string { return strings.Join(m.head, "\r\n") + "\r\n\r\n" + m.body }

var litwareNames = map[string]string{litwareFrontEnd: litwareFQDN}

// TestPublishAgain: a 409 tells the current versions; the handset publishes once more with these, and no more than that.
func TestPublishAgain(t *testing.T) {
	const wrong = `version="9"`
	for _, test := range []struct {
		name    string
		answers int // how many 409 the handset gets
		warning bool
	}{
		{"once", 1, false},
		{"each time", 3, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var published, told []string
			change := func(toPool bool, m *message) {
				switch {
				case toPool && strings.HasPrefix(m.start(), "SERVICE"):
					published = append(published, m.body)
					if version := `version="0"`; len(published) <= test.answers {
						m.body = strings.ReplaceAll(m.body, version, wrong)
					} else { // the pool has them as 0
						m.body = strings.ReplaceAll(m.body, `version="3"`, version)
					}
				case !toPool && strings.HasPrefix(m.start(), "SIP/2.0 409"):
					told = append(told, m.body)
					m.body = strings.ReplaceAll(m.body, `curVersion="0"`, `curVersion="3"`)
				}
			}
			viaRelay(t, "litware", litwareNames, change, func(r *relay, _ *wiretap) {
				if len(published) != 2 || len(told) != min(test.answers, 2) {
					t.Fatalf("%d publications, %d answers 409\n%s", len(published), len(told), r.log())
				}
				if want := strings.ReplaceAll(published[0], `version="0"`, `version="3"`); published[1] != want || published[1] == published[0] {
					t.Errorf("published %s,\nwant %s", published[1], want)
				}
				if warned := r.diagnosed("provision.sip-error") != 0; warned != test.warning {
					t.Errorf("warned %v\n%s", warned, r.log())
				}
			})
		})
	}
}

// TestRedirectOrder: the Director names primary and backup; whatever their order, the one with the highest q is taken.
func TestRedirectOrder(t *testing.T) {
	names := map[string]string{"10.30.200.20": "lyncdir.contoso.com", "10.30.200.11": "lyncfe01.contoso.com", "10.30.200.30": "lyncbfe01.contoso.com"}
	for _, turned := range []bool{false, true} {
		contacts := 0
		change := func(toPool bool, m *message) {
			if toPool || !strings.HasPrefix(m.start(), "SIP/2.0 301") {
				return
			}
			var at []int
			for i, line := range m.head {
				if strings.HasPrefix(line, "Contact: ") {
					at = append(at, i)
				}
			}
			contacts = len(at)
			if contacts == 2 && turned {
				m.head[at[0]], m.head[at[1]] = m.head[at[1]], m.head[at[0]]
			}
		}
		viaRelay(t, "contoso", names, change, func(r *relay, tap *wiretap) {
			var got []string
			for _, c := range tap.connections() {
				if c.to.Port() == 5061 {
					got = append(got, c.to.Addr().String())
				}
			}
			if want := []string{"10.30.200.20", "10.30.200.11"}; contacts != 2 || !slices.Equal(got, want) {
				t.Errorf("turned %v: %d Contacts, registrars %q, want %q", turned, contacts, got, want)
			}
			if notes := r.saw(timeline.Note, "redirected to lyncfe01.contoso.com:5061"); len(notes) != 1 {
				t.Errorf("turned %v: %q\n%s", turned, notes, r.log())
			}
		})
	}
}
