package handset

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	serverA = "10.0.0.1"
	serverB = "10.0.0.2"
	offered = "10.0.0.50"
)

// terms are the options of an OFFER or ACK; those in change stand for the usual ones, "" for none at all.
func terms(kind byte, server string, change map[int]string) string {
	usual := map[int]string{53: fmt.Sprintf("%02x", kind), 54: hexOf(server), 51: "00000e10", 1: "ffffff00", 3: hexOf(server), 6: hexOf(server)}
	var b strings.Builder
	for code := range 255 {
		value, ok := change[code]
		if !ok {
			value = usual[code]
		}
		if value = strings.ReplaceAll(value, " ", ""); value != "" {
			fmt.Fprintf(&b, "%02x%02x%s", code, len(value)/2, value)
		}
	}
	return b.String()
}

// lends answers DISCOVER with OFFER and REQUEST with ACK, as any server does.
func lends(server, address string) func(question) [][]byte {
	return func(q question) [][]byte {
		kind := map[byte]byte{discover: offer, request: ack}[q.kind]
		if kind == 0 || q.kind == request && !q.has("3604"+hexOf(server)) {
			return nil
		}
		return [][]byte{reply{xid: q.xid, yiaddr: address, options: terms(kind, server, nil)}.bytes()}
	}
}

// TestOffers gives the handset one answer to its DISCOVER, and an ACK with the same options to its REQUEST.
func TestOffers(t *testing.T) {
	otherMAC := unhex("0004f2999999")
	long := strings.Repeat("7878", 250)
	for _, test := range []struct {
		name    string
		answer  func(xid []byte, kind byte) reply
		cut     int    // bytes of the message that are sent, 0: all
		code    string // of the failure; "" means that the lease is taken
		dropped string // what the timeline says about it, "" means nothing
	}{
		{name: "as RFC 2131 has it", answer: with(nil)},
		{name: "no address", answer: func(xid []byte, kind byte) reply { return reply{xid: xid, options: terms(kind, serverA, nil)} }, code: "address.garbage", dropped: "no address in yiaddr"},
		{name: "a group's address", answer: yours("239.1.2.3", nil), code: "address.garbage", dropped: "239.1.2.3 is no host's address"},
		{name: "a loopback address", answer: yours("127.0.0.1", nil), code: "address.garbage", dropped: "127.0.0.1 is no host's address"},
		{name: "the limited broadcast", answer: yours("255.255.255.255", nil), code: "address.garbage", dropped: "no host's address"},
		{name: "the subnet's broadcast", answer: yours("10.0.0.255", nil), code: "address.garbage", dropped: "its broadcast address"},
		{name: "the network itself", answer: yours("10.0.0.0", nil), code: "address.garbage", dropped: "the network's"},
		{name: "no mask", answer: with(map[int]string{1: ""}), code: "address.garbage", dropped: "no subnet mask, option 1 is absent"},
		{name: "a mask of 3 bytes", answer: with(map[int]string{1: "ffffff"}), code: "address.garbage", dropped: "no subnet mask, option 1 is ffffff"},
		{name: "a mask with holes", answer: with(map[int]string{1: "ff00ff00"}), code: "address.garbage", dropped: "subnet mask 255.0.255.0 is none"},
		{name: "mask 0.0.0.0", answer: with(map[int]string{1: "00000000"}), code: "address.garbage", dropped: "subnet mask 0.0.0.0 is none"},
		{name: "no server identifier", answer: with(map[int]string{54: ""}), code: "address.garbage", dropped: "option 54 is absent"},
		{name: "server identifier 0.0.0.0", answer: with(map[int]string{54: "00000000"}), code: "address.garbage", dropped: "option 54 is 00000000"},
		{name: "server identifier of 5 bytes", answer: with(map[int]string{54: "0a00000100"}), code: "address.garbage", dropped: "option 54 is 0a00000100"},
		{name: "lease time 0", answer: with(map[int]string{51: "00000000"}), code: "address.garbage", dropped: "a lease of 0 s"},
		{name: "no lease time", answer: with(map[int]string{51: ""}), dropped: "no lease time, option 51 is absent"},
		{name: "lease without end", answer: with(map[int]string{51: "ffffffff"})},
		{name: "router outside of the subnet", answer: with(map[int]string{3: "c0a80001"}), dropped: "router 192.168.0.1 is outside of 10.0.0.0/24"},
		{name: "router outside, then one inside", answer: with(map[int]string{3: "c0a80001 0a000001"}), dropped: "router 192.168.0.1 is outside"},
		{name: "name servers of 5 bytes", answer: with(map[int]string{6: "0a00000100"}), dropped: "option 6 of 5 bytes is no list of addresses"},
		{name: "a group as name server", answer: with(map[int]string{6: "e0000001 0a000001"}), dropped: "option 6: 224.0.0.1 is no host's address"},
		{name: "60 name servers", answer: with(map[int]string{6: strings.Repeat("0a000001", 60)}), dropped: "option 6: of 56 more addresses none is used"},
		{name: "time servers of 3 bytes", answer: with(map[int]string{42: "0a0000"}), dropped: "option 42 of 3 bytes"},
		{name: "a domain with a line break", answer: with(map[int]string{15: hex.EncodeToString([]byte("a.com\r\nX: y"))}), dropped: `option 15: "a.com\r\nx: y" is no domain`},
		{name: "a search list", answer: with(map[int]string{119: labels("contoso.com") + labels("corp.contoso.com")})},
		{name: "a search list that is cut", answer: with(map[int]string{119: "07636f"}), dropped: "option 119 is no list of domains"},
		{name: "a search list that points at itself", answer: with(map[int]string{119: "c000"}), dropped: "option 119 is no list of domains"},
		{name: "a search list with a line break", answer: with(map[int]string{119: "05610d0a623a00"}), dropped: `option 119: "a\r\nb:" is no domain`},
		{name: "30 domains to search", answer: with(map[int]string{119: strings.Repeat(labels("a.com"), 30)}), dropped: "option 119: of more than 4 domains"},
		{name: "a domain of NULs", answer: with(map[int]string{15: "000000"})},
		{name: "message type 0", answer: with(map[int]string{53: "00"}), code: "address.no-offer", dropped: "in answer to DISCOVER, an OFFER expected"},
		{name: "message type of 2 bytes", answer: with(map[int]string{53: "0202"}), code: "address.no-offer", dropped: "without message type"},
		{name: "BOOTP, no message type", answer: with(map[int]string{53: ""}), code: "address.no-offer", dropped: "a BOOTP answer without message type"},
		{name: "a NAK at once", answer: func(xid []byte, _ byte) reply { return reply{xid: xid, options: "350106 3604 0a000001"} }, code: "address.no-offer", dropped: "NAK in answer to DISCOVER"},
		{name: "an ACK at once", answer: func(xid []byte, _ byte) reply {
			return reply{xid: xid, yiaddr: offered, options: terms(ack, serverA, nil)}
		}, code: "address.no-offer", dropped: "ACK in answer to DISCOVER"},
		{name: "a request", answer: func(xid []byte, kind byte) reply {
			return reply{op: 1, xid: xid, yiaddr: offered, options: terms(kind, serverA, nil)}
		}, code: "address.no-offer", dropped: "a request, an answer expected"},
		{name: "a lease for another MAC address", answer: func(xid []byte, kind byte) reply {
			return reply{mac: otherMAC, xid: xid, yiaddr: offered, options: terms(kind, serverA, nil)}
		}, code: "address.no-offer", dropped: "an answer for 00:04:f2:99:99:99"},
		{name: "another transaction", answer: func(_ []byte, kind byte) reply {
			return reply{xid: []byte{1, 2, 3, 4}, yiaddr: offered, options: terms(kind, serverA, nil)}
		}, code: "address.no-offer", dropped: "xid 01020304"},
		{name: "nothing", answer: with(nil), cut: -1, code: "address.no-offer", dropped: "message of 0 bytes"},
		{name: "cut in the header", answer: with(nil), cut: 239, code: "address.no-offer", dropped: "message of 239 bytes"},
		{name: "no options", answer: with(nil), cut: 240, code: "address.no-offer", dropped: "options have no end"},
		{name: "cut in an option", answer: with(nil), cut: 244, code: "address.no-offer", dropped: "claims 4 bytes, 2 left"},
		{name: "no end", answer: func(xid []byte, kind byte) reply {
			return reply{raw: true, xid: xid, yiaddr: offered, options: terms(kind, serverA, nil)}
		}, code: "address.no-offer", dropped: "options have no end"},
		{name: "1460 bytes", answer: with(map[int]string{200: long[:510], 201: long[:510], 202: long[:510], 203: long[:500]})},
		{name: "every option in the overloaded fields", answer: func(xid []byte, kind byte) reply {
			return reply{xid: xid, yiaddr: offered, options: "340103", file: terms(kind, serverA, map[int]string{3: "", 6: ""}) + "ff", sname: "0304" + hexOf(serverA) + "ff"}
		}},
		{name: "overload by 4", answer: with(map[int]string{52: "04"}), code: "address.no-offer", dropped: "option 52 is 04"},
		{name: "overload without end", answer: with(map[int]string{52: "01"}), code: "address.no-offer", dropped: "boot file name field: options have no end"},
		{name: "an option in two parts", answer: func(xid []byte, kind byte) reply { // RFC 3396
			return reply{xid: xid, yiaddr: offered, options: terms(kind, serverA, map[int]string{1: "ffff"}) + "0102 ff00"}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.AddressAcquire, func(b *bench) {
				b.dhcp(serverA, func(q question) [][]byte {
					kind := byte(offer)
					if q.kind == request {
						kind = ack
					}
					payload := test.answer(q.xid, kind).bytes()
					if test.cut != 0 {
						payload = payload[:max(test.cut, 0)]
					}
					return [][]byte{payload}
				})
				got, failure := b.h.acquire(b.Context(), []time.Duration{4 * time.Second})
				switch {
				case test.code == "" && got == nil:
					b.Fatalf("not taken: %v\n%s", failure, b.log())
				case test.code == "":
					if got.address.String() != offered+"/24" || got.server.String() != serverA || got.router.IsValid() && got.router.String() != serverA || len(got.dns) > maxServers {
						b.Errorf("lease %+v", got)
					}
				case got != nil:
					b.Fatalf("taken: %+v", got)
				case failure == nil || string(failure.Code) != test.code:
					b.Errorf("failure %v, want %s", failure, test.code)
				}
				if test.dropped != "" {
					b.want(timeline.Dropped, "dhcp", serverA, test.dropped)
				} else if n := b.count(timeline.Dropped, ""); n != 0 {
					b.Errorf("%d drops\n%s", n, b.log())
				}
			})
		})
	}
}

// with is an answer of server A with the address offered and changed options.
func with(change map[int]string) func([]byte, byte) reply { return yours(offered, change) }

func yours(address string, change map[int]string) func([]byte, byte) reply {
	return func(xid []byte, kind byte) reply {
		return reply{xid: xid, yiaddr: address, options: terms(kind, serverA, change)}
	}
}

// TestTwoServers: the first OFFER that can be used is taken, REQUEST names its server, and nothing of the other one counts.
func TestTwoServers(t *testing.T) {
	fromB := func(q question, kind byte, options string) []byte {
		if options == "" {
			options = terms(kind, serverB, nil)
		}
		return reply{xid: q.xid, yiaddr: "10.0.0.77", options: options}.bytes()
	}
	for _, test := range []struct {
		name    string
		a, b    time.Duration // how long each takes to answer
		answerB func(q question) [][]byte
		want    string
		dropped []string
	}{
		{
			name: "B's OFFER second", b: time.Millisecond, want: serverA,
			answerB: func(q question) [][]byte { return onDiscover(q, fromB(q, offer, "")) },
			dropped: []string{"OFFER of DHCP server 10.0.0.2", "a second server, 10.0.0.1 came first"},
		},
		{
			name: "B's OFFER three seconds later", b: 3 * time.Second, want: serverA,
			answerB: func(q question) [][]byte { return onDiscover(q, fromB(q, offer, "")) },
			dropped: []string{"too late: OFFER of DHCP server 10.0.0.2", "10.0.0.1 came first"},
		},
		{
			name: "B first, and its OFFER cannot be used", a: time.Second, want: serverA,
			answerB: func(q question) [][]byte {
				return onDiscover(q, fromB(q, offer, terms(offer, serverB, map[int]string{1: ""})))
			},
			dropped: []string{"an OFFER that cannot be used"},
		},
		{
			name: "B first", a: time.Second, want: serverB, answerB: lends(serverB, "10.0.0.77"),
			dropped: []string{"too late: OFFER of DHCP server 10.0.0.1", "10.0.0.2 came first"},
		},
		{
			name: "B's NAK for the REQUEST to A", a: time.Millisecond, want: serverA,
			answerB: func(q question) [][]byte { return onRequest(q, fromB(q, nak, "")) },
			dropped: []string{"NAK of DHCP server 10.0.0.2", "10.0.0.1 came first"},
		},
		{
			name: "B's ACK for the REQUEST to A", a: time.Millisecond, want: serverA,
			answerB: func(q question) [][]byte { return onRequest(q, fromB(q, ack, "")) },
			dropped: []string{"ACK of DHCP server 10.0.0.2", "10.0.0.1 came first"},
		},
		{
			name: "a NAK without server identifier", a: time.Millisecond, want: serverA,
			answerB: func(q question) [][]byte { return onRequest(q, fromB(q, nak, "350106")) },
			dropped: []string{"NAK without server identifier", "10.0.0.1 was asked"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.AddressAcquire, func(b *bench) {
				var requests []question
				late := func(wait time.Duration, answer func(question) [][]byte) func(question) [][]byte {
					return func(q question) [][]byte {
						time.Sleep(wait)
						return answer(q)
					}
				}
				b.dhcp(serverA, late(test.a, lends(serverA, offered)))
				b.dhcp(serverB, late(test.b, func(q question) [][]byte {
					if q.kind == request {
						requests = append(requests, q)
					}
					return test.answerB(q)
				}))
				got, failure := b.h.acquire(b.Context(), b.h.profile.LeaseTimeouts)
				time.Sleep(lingerFor)
				synctest.Wait()
				if got == nil || got.server.String() != test.want {
					b.Fatalf("lease %+v, %v, want one of %s\n%s", got, failure, test.want, b.log())
				}
				if len(requests) != 1 || !requests[0].has("3604"+hexOf(test.want)) || !requests[0].has("3204"+hexOf(got.address.Addr().String())) {
					b.Errorf("%d REQUESTs, want one that names server %s and the address that it offered", len(requests), test.want)
				}
				b.want(timeline.Dropped, "dhcp", test.dropped...)
			})
		})
	}
}

func onDiscover(q question, payload []byte) [][]byte {
	if q.kind != discover {
		return nil
	}
	return [][]byte{payload}
}

func onRequest(q question, payload []byte) [][]byte {
	if q.kind != request {
		return nil
	}
	return [][]byte{payload}
}

// TestRefusedAgainAndAgain: after a NAK and after an ACK that cannot be used the handset begins again with DISCOVER,
// not more often than when nobody answers.
func TestRefusedAgainAndAgain(t *testing.T) {
	const refusal = "350106 3604 0a000001"
	for _, test := range []struct {
		name   string
		to     byte   // the message that is not answered as it should
		answer string // options, "" means none at all
		code   string
	}{
		{"NAK to REQUEST", request, refusal, "address.nak"},
		{"NAK to DISCOVER", discover, refusal, "address.no-offer"},
		{"ACK without mask", request, terms(ack, serverA, map[int]string{1: ""}), "address.garbage"},
		{"OFFER without mask", discover, terms(offer, serverA, map[int]string{1: ""}), "address.garbage"},
		{"nothing to REQUEST", request, "", "address.no-ack"},
		{"nothing to DISCOVER", discover, "", "address.no-offer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.AddressAcquire, func(b *bench) {
				var began []time.Time
				b.dhcp(serverA, func(q question) [][]byte {
					if q.kind == discover {
						began = append(began, q.at)
					}
					switch {
					case q.kind != test.to:
						return lends(serverA, offered)(q)
					case test.answer == "":
						return nil
					}
					return [][]byte{reply{xid: q.xid, yiaddr: offered, options: test.answer}.bytes()}
				})
				for range 2 { // the state is entered again
					event, failure := b.h.addressAcquire(b.Context())
					if event != devicestate.AddressUnanswered || failure == nil || string(failure.Code) != test.code {
						b.Fatalf("%v, %v\n%s", event, failure, b.log())
					}
				}
				synctest.Wait()
				var after []time.Duration
				for i := range began[1:] {
					after = append(after, began[i+1].Sub(began[i])/time.Second)
				}
				if want := []time.Duration{4, 8, 16, 32, 64, 4, 8, 16, 32}; !slices.Equal(after, want) {
					b.Errorf("DISCOVER again after %v s, want %v", after, want)
				}
			})
		})
	}
}

// TestAnotherAddressInTheACK: what is acknowledged counts, not what was offered.
func TestAnotherAddressInTheACK(t *testing.T) {
	onBench(t, devicestate.AddressAcquire, func(b *bench) {
		b.dhcp(serverA, func(q question) [][]byte {
			if q.kind == request {
				return [][]byte{reply{xid: q.xid, yiaddr: "10.0.0.51", options: terms(ack, serverA, nil)}.bytes()}
			}
			return lends(serverA, offered)(q)
		})
		got, failure := b.h.acquire(b.Context(), b.h.profile.LeaseTimeouts)
		if got == nil || got.address.String() != "10.0.0.51/24" {
			b.Errorf("%+v, %v", got, failure)
		}
		b.want(timeline.Dropped, "dhcp", "10.0.0.50 was offered, the ACK gives 10.0.0.51")
	})
}

// TestDuplicateACK: an ACK that comes twice, and once more in the next exchange, does no harm.
func TestDuplicateACK(t *testing.T) {
	onBench(t, devicestate.AddressAcquire, func(b *bench) {
		var first []byte
		b.dhcp(serverA, func(q question) [][]byte {
			answers := lends(serverA, offered)(q)
			switch {
			case q.kind == request:
				first = answers[0]
				return [][]byte{first, first}
			case q.kind == inform:
				return [][]byte{first}
			}
			return answers
		})
		if event, failure := b.h.addressAcquire(b.Context()); event != devicestate.AddressBound {
			b.Fatalf("%v, %v", event, failure)
		}
		b.want(timeline.Dropped, "dhcp", "too late: ACK of DHCP server 10.0.0.1 once more")
		if got := b.h.openInform().inform(b.Context()); got.pool != "" || got.url != "" {
			b.Errorf("an ACK to REQUEST was taken for one to INFORM: %+v", got)
		}
		b.want(timeline.Dropped, "dhcp", "an answer to another question")
	})
}

// squat answers ARP for addresses with a MAC address of its own, by hand.
func (b *bench) squat(inUse func(address netip.Addr) bool) {
	s := b.station("")
	frames, err := s.Frames(0x0806)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			frame, err := frames.Receive(b.Context())
			if err != nil {
				return
			}
			if asked := frame[38:42]; frame[21] == 1 && inUse(netip.AddrFrom4([4]byte(asked))) {
				answer := slices.Concat(frame[6:12], s.MAC(), unhex("0806 0001 0800 06 04 0002"), s.MAC(), asked, frame[22:32])
				if err := s.SendFrame(answer); err != nil {
					b.Error(err)
				}
			}
		}
	}()
}

// TestAddressInUse: the lease is declined, and DHCP begins again ten seconds later (RFC 2131 §3.1 item 5), a minute
// later after ten conflicts (RFC 5227 §2.1.1).
func TestAddressInUse(t *testing.T) {
	for _, test := range []struct {
		name  string
		inUse int // of the addresses that are offered one after the other
		pause []time.Duration
	}{
		{"the first one", 1, []time.Duration{10}},
		{"twelve", 12, []time.Duration{10, 10, 10, 10, 10, 10, 10, 10, 10, 60, 60, 60}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.AddressAcquire, func(b *bench) {
				last := netip.MustParseAddr(offered)
				first := last
				var declined time.Time
				var pauses []time.Duration
				b.dhcp(serverA, func(q question) [][]byte {
					if q.kind == decline {
						if !q.has("350104") || !q.has("3204"+hexOf(last.String())) || !q.has("3604"+hexOf(serverA)) {
							b.Errorf("DECLINE % x does not name %v", q.data[240:], last)
						}
						declined, last = q.at, last.Next()
					}
					if q.kind == discover && !declined.IsZero() {
						pauses = append(pauses, q.at.Sub(declined)/time.Second)
					}
					return lends(serverA, last.String())(q)
				})
				b.squat(func(a netip.Addr) bool { return a.Compare(first) >= 0 && a.As4()[3]-first.As4()[3] < byte(test.inUse) })
				_, err := b.h.Run(b.Context(), func(m devicestate.Machine) bool { return m.State == devicestate.UpdateLookup })
				if err != nil {
					b.Fatal(err)
				}
				synctest.Wait()
				if !slices.Equal(pauses, test.pause) {
					b.Errorf("DISCOVER after DECLINE came after %v s, want %v", pauses, test.pause)
				}
				if got := b.h.station.Address().Addr(); got != last {
					b.Errorf("address %v, want %v", got, last)
				}
				b.want(timeline.Diagnosis, "", "address.duplicate", "10.0.0.50 is in use by 02:00:00:00:00:02")
				if n := b.count(timeline.Note, "", "is declined"); n != test.inUse {
					b.Errorf("%d notes of a declined lease, want %d", n, test.inUse)
				}
			})
		})
	}
}

// TestAddressContested: a station that claims the handset's address later is answered, every ten seconds at most, and
// the handset goes on (RFC 5227 §2.4).
func TestAddressContested(t *testing.T) {
	for name, claim := range map[string]string{
		"gratuitous ARP":            "0001" + "020000000002" + hexOf("10.0.0.9") + "000000000000" + hexOf("10.0.0.9"),
		"gratuitous reply":          "0002" + "020000000002" + hexOf("10.0.0.9") + "ffffffffffff" + hexOf("10.0.0.9"),
		"request with that address": "0001" + "020000000002" + hexOf("10.0.0.9") + "000000000000" + hexOf("10.0.0.1"),
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, devicestate.UpdateLookup, func(b *bench) {
				b.addressed(serverA)
				b.dns(serverA, func(q asked) [][]byte { return [][]byte{rightAnswer(q)} })
				rogue := b.station("")
				heard, err := rogue.Frames(0x0806)
				if err != nil {
					b.Fatal(err)
				}
				defer heard.Close()
				time.Sleep(time.Minute) // both announcements are out
				for range 25 {
					if err := rogue.SendFrame(slices.Concat(unhex("ffffffffffff"), rogue.MAC(), unhex("0806 0001 0800 06 04"), unhex(claim))); err != nil {
						b.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				if n := b.count(timeline.Diagnosis, "arp", rogue.MAC().String(), "address.duplicate", "10.0.0.9 is in use by"); n != 3 {
					b.Errorf("%d diagnoses in 25 s, want 3\n%s", n, b.log())
				}
				announcement := slices.Concat(unhex("ffffffffffff"), handsetMAC, unhex("0806 0001 0800 06 04 0001"), handsetMAC, unhex(hexOf("10.0.0.9")+"000000000000"+hexOf("10.0.0.9")))
				defences := 0
				for n := 0; n < 3; {
					frame, err := heard.Receive(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if slices.Equal(frame[6:12], handsetMAC) {
						n++
					}
					if slices.Equal(frame[:42], announcement) {
						defences++
					}
				}
				if defences != 3 {
					b.Errorf("%d defences, want 3", defences)
				}
				if got, err := b.h.lookupHost(b.Context(), "sip.contoso.com"); err != nil || got[0].String() != "10.0.0.7" {
					b.Errorf("the handset does not go on: %v, %v", got, err)
				}
			})
		})
	}
}
