package rig_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/soap"
)

// besieged is a pool with hostile peers, on a Pipe in virtual time.
type besieged struct {
	*setting
	pool   *labpool.Pool
	from   ethernet.Station // of the hostile peers
	peers  sync.WaitGroup
	ctx    context.Context // ends with the siege
	retire context.CancelFunc
}

func besiege(t *testing.T, test func(*besieged)) {
	t.Helper()
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		b := &besieged{setting: s}
		t := s.t // of the bubble
		b.ctx, b.retire = context.WithCancel(t.Context())
		var err error
		b.pool, err = labpool.Start(labpool.Config{Lab: s.Lab, Cable: s.Cable, SIPTCP: true, NewKey: s.PoolKey})
		if err != nil {
			t.Fatal(err)
		}
		b.from, err = s.Cable.Join(ethernet.StationConfig{Name: "hostile", MAC: net.HardwareAddr{2, 0, 0, 0, 9, 9}})
		if err == nil {
			err = b.from.SetAddress(netip.PrefixFrom(netip.MustParseAddr("10.20.0.99"), 24), netip.Addr{})
		}
		if err != nil {
			t.Fatal(err)
		}
		test(b)
		b.retire()
		b.peers.Wait()
		if err := b.pool.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Cable.Close(); err != nil {
			t.Error(err)
		}
	})
}

// connect opens a connection to a port of the front end that ends with the siege.
func (b *besieged) connect(port uint16) net.Conn {
	b.t.Helper()
	conn, err := b.from.DialTCP(b.ctx, netip.AddrPortFrom(b.Lab.FrontEnds[0].Address, port))
	if err != nil {
		b.t.Fatal(err)
	}
	context.AfterFunc(b.ctx, func() { conn.Close() })
	return conn
}

// ports are those of the services over TCP: whether a hostile peer speaks TLS, and SIP.
var ports = []struct {
	number   uint16
	tls, sip bool
}{{80, false, false}, {443, true, false}, {5060, false, true}, {5061, true, true}}

// speak connects so many hostile peers to each port, through its TLS handshake, and lets each of them go on by itself.
func (b *besieged) speak(count int, say func(sip bool, conn net.Conn)) {
	for _, port := range ports {
		for range count {
			b.peers.Go(func() {
				conn := b.connect(port.number)
				if port.tls {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				say(port.sip, conn)
			})
		}
	}
}

// trickle says a text byte by byte, one every pause, and begins anew when the pool has closed.
func trickle(conn net.Conn, text string, pause time.Duration) {
	for i := range len(text) {
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

const (
	ticketHead   = "POST /WebTicket/WebTicketService.svc/pin HTTP/1.1\r\nHost: atl-cs-001.litwareinc.com\r\nContent-Type: text/xml\r\n"
	registerHead = "REGISTER sip:litwareinc.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.20.0.99:1;branch=z9hG4bK1\r\n" +
		"From: <sip:kenmyer@litwareinc.com>;tag=1;epid=1\r\nTo: <sip:kenmyer@litwareinc.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n"
)

// sieges are what hostile peers do. Each goes on until the siege ends, or the pool has ended all of it.
var sieges = map[string]func(*besieged){
	"1000 half-open connections": func(b *besieged) {
		for i := range 1000 {
			b.connect(ports[i%len(ports)].number)
		}
	},
	"1000 half-open connections to each port": func(b *besieged) {
		for range 1000 {
			for _, port := range ports {
				b.connect(port.number)
			}
		}
	},
	"half a ClientHello": func(b *besieged) {
		for i := range 200 {
			io.WriteString(b.connect([]uint16{443, 5061}[i%2]), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x01")
		}
	},
	"slow headers": func(b *besieged) {
		b.speak(25, func(sip bool, conn net.Conn) {
			head := ticketHead
			if sip {
				head = registerHead
			}
			trickle(conn, head+"X-Slow: "+strings.Repeat("x", 4000), time.Second)
		})
	},
	"headers without an end": func(b *besieged) {
		b.speak(10, func(sip bool, conn net.Conn) {
			head := ticketHead
			if sip {
				head = registerHead
			}
			for _, err := io.WriteString(conn, head); err == nil; {
				_, err = io.WriteString(conn, "X-Endless: "+strings.Repeat("x", 100)+"\r\n")
			}
		})
	},
	"a message without an end": func(b *besieged) {
		b.speak(25, func(sip bool, conn net.Conn) {
			head, length := ticketHead, soap.MaxSize
			if sip {
				head, length = registerHead, sipmessage.MaxSize/2
			}
			io.WriteString(conn, head+fmt.Sprintf("Content-Length: %d\r\n\r\n", length))
			trickle(conn, strings.Repeat("x", length-1), time.Second)
		})
	},
	"a chunked body without an end": func(b *besieged) {
		b.speak(10, func(_ bool, conn net.Conn) {
			for _, err := io.WriteString(conn, ticketHead+"Transfer-Encoding: chunked\r\n\r\n"); err == nil; {
				_, err = io.WriteString(conn, "1000\r\n"+strings.Repeat("x", 4096)+"\r\n")
			}
		})
	},
	"oversized messages": func(b *besieged) {
		b.speak(10, func(sip bool, conn net.Conn) {
			head := ticketHead
			if sip {
				head = registerHead
			}
			io.WriteString(conn, head+"Content-Length: 1000000000000\r\n\r\n"+strings.Repeat("x", 1<<20))
			io.ReadAll(conn)
		})
	},
	"pipelined requests whose answers nobody reads": func(b *besieged) {
		b.speak(5, func(sip bool, conn net.Conn) {
			message := "GET /CertProv/CertProvisioningService.svc/mex HTTP/1.1\r\nHost: atl-cs-001.litwareinc.com\r\n\r\n"
			if sip {
				message = registerHead + "Content-Length: 0\r\n\r\n"
			}
			for _, err := io.WriteString(conn, message); err == nil; {
				_, err = io.WriteString(conn, message)
			}
		})
	},
	"a flood of keep-alives": func(b *besieged) {
		b.speak(5, func(_ bool, conn net.Conn) {
			for _, err := io.WriteString(conn, "\r\n\r\n"); err == nil; {
				if _, err = io.WriteString(conn, strings.Repeat("\r\n\r\n", 100)); err == nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	},
	"a flood of connections": func(b *besieged) {
		for _, port := range ports {
			b.peers.Go(func() {
				for b.ctx.Err() == nil {
					conn, err := b.from.DialTCP(b.ctx, netip.AddrPortFrom(b.Lab.FrontEnds[0].Address, port.number))
					if err == nil {
						io.WriteString(conn, "\r\n")
						conn.Close()
					}
					time.Sleep(50 * time.Millisecond)
				}
			})
		}
	},
}

// TestHostilePeers boots a handset while others besiege the pool: it takes the time that it takes without them, gets its
// certificate and stays registered. Ten minutes later the pool has rid itself of everything that was only opened.
func TestHostilePeers(t *testing.T) {
	peace := bootTime(t, nil)
	for name, siege := range sieges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := bootTime(t, siege); got > peace+time.Second {
				t.Errorf("booted in %v, in %v without hostile peers", got, peace)
			}
		})
	}
}

// bootTime boots a handset under a siege and tells how long that took.
func bootTime(t *testing.T, siege func(*besieged)) (took time.Duration) {
	t.Helper()
	besiege(t, func(b *besieged) {
		t := b.t
		if siege != nil {
			siege(b)
		}
		station, err := b.Cable.Join(ethernet.StationConfig{Name: "handset", MAC: net.HardwareAddr{0, 4, 0xf2, 1, 2, 3}, TTL: b.Profile.IPTTL})
		if err != nil {
			t.Fatal(err)
		}
		own := timeline.New("handset")
		own.Observe(b.Observers[0])
		phone, err := handset.New(b.Profile, station, handset.WithTimeline(own), handset.WithNewKey(b.HandsetKey))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		out, err := phone.Boot(ctx, b.Credentials)
		cancel()
		if took = time.Since(began); err != nil || out.Machine.State != devicestate.Ready {
			t.Fatalf("ended in %s: %v %v\n%s", out.Machine.State, out.Failure, err, b.log())
		}
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if out, _ := phone.Run(ctx, func(m devicestate.Machine) bool { return m.State == devicestate.Failed }); out.Machine.State != devicestate.Ready {
			t.Errorf("left as %s\n%s", out.Machine.State, b.log())
		}
		b.wantHeld(1)
		if err := phone.Close(); err != nil {
			t.Error(err)
		}
		b.retire()
		b.peers.Wait()
	})
	return took
}

// wantHeld says that the pool keeps nothing but so many registered handsets, and what comes and goes just now.
func (b *besieged) wantHeld(handsets int) {
	b.t.Helper()
	held, err := b.pool.Held(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	passing := len(ports)
	if held.Registrars.Connections > handsets+passing || held.Registrars.Associations != handsets || held.WebConnections > passing {
		b.t.Errorf("the pool holds %+v, want what %d handsets need", held, handsets)
	}
}
