package handset

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// again is a REQUEST for a lease that the handset has: after how many seconds, and of whom.
type again struct {
	after int
	to    string
}

const everybody = "255.255.255.255"

// TestLeaseRenewal: a handset that waits asks for its lease again (RFC 2131 §4.4.5). The lease is of an hour where the
// terms do not say otherwise.
func TestLeaseRenewal(t *testing.T) {
	const hour = 3600
	answer := func(server, address string, change map[int]string) func(question) []byte {
		return func(q question) []byte {
			return reply{xid: q.xid, yiaddr: address, options: terms(ack, server, change)}.bytes()
		}
	}
	refusal := func(server string) func(question) []byte {
		return func(q question) []byte { return reply{xid: q.xid, options: "350106 3604" + hexOf(server)}.bytes() }
	}
	only := func(after time.Duration, answer func(question) []byte) func(time.Duration, question) []byte {
		return func(since time.Duration, q question) []byte {
			if since < after {
				return nil
			}
			return answer(q)
		}
	}
	silent := []again{
		{1800, serverA}, {2477, serverA}, {2815, serverA}, {2984, serverA}, {3069, serverA}, {3150, everybody}, {3377, everybody}, {3490, everybody},
	}
	for _, test := range []struct {
		name   string
		terms  map[int]string // of the first ACK
		answer func(since time.Duration, q question) []byte
		wait   time.Duration // longer than until the last REQUEST
		asked  []again
		lost   string // text of the failure
		at     int    // seconds until then
		notes  []string
	}{
		{
			name: "at half of it, each time", answer: only(0, answer(serverA, offered, nil)), wait: 7000 * time.Second,
			asked: []again{{1800, serverA}, {3600, serverA}, {5400, serverA}}, notes: []string{"the lease of 10.0.0.50 is renewed for 1h0m0s"},
		},
		{
			name: "T1 and T2 of the server", terms: map[int]string{58: "0000012c", 59: "00000258"}, wait: 40 * time.Minute,
			asked:  []again{{300, serverA}, {452, serverA}, {528, serverA}, {600, everybody}, {2102, everybody}},
			answer: func(time.Duration, question) []byte { return nil }, notes: []string{"is not renewed: no DHCP server answers; again in"},
		},
		{
			name: "T1 after T2", terms: map[int]string{58: "00000258", 59: "0000012c"}, wait: 31 * time.Minute,
			answer: only(0, answer(serverA, offered, nil)), asked: []again{{1800, serverA}},
		},
		{name: "nobody answers", answer: func(time.Duration, question) []byte { return nil }, wait: 2 * time.Hour, asked: silent, lost: "no DHCP server has renewed the lease of 10.0.0.50 within its 1h0m0s", at: hour},
		{
			name: "another server has it after T2", answer: only(3000*time.Second, answer(serverB, offered, nil)), wait: 3200 * time.Second,
			asked: silent[:6], notes: []string{"the lease of 10.0.0.50 is renewed"},
		},
		{name: "refused", answer: only(0, refusal(serverA)), wait: time.Hour, asked: silent[:1], lost: "refuses to renew the lease of 10.0.0.50", at: 1800},
		{name: "refused by another server, before T2", answer: only(0, refusal(serverB)), wait: 2000 * time.Second, asked: silent[:1]},
		{name: "refused by another server, after T2", answer: only(3000*time.Second, refusal(serverB)), wait: time.Hour, asked: silent[:6], lost: "refuses to renew", at: 3150},
		{name: "another address", answer: only(0, answer(serverA, "10.0.0.51", nil)), wait: 2000 * time.Second, asked: silent[:1]},
		{name: "no mask any more", answer: only(0, answer(serverA, offered, map[int]string{1: ""})), wait: 2000 * time.Second, asked: silent[:1]},
		{name: "another router", answer: only(0, answer(serverA, offered, map[int]string{3: "0a000005"})), wait: 2000 * time.Second, asked: silent[:1], notes: []string{"is renewed"}},
		{name: "without end", terms: map[int]string{51: "ffffffff"}, wait: 366 * 24 * time.Hour},
		{name: "of no time", terms: map[int]string{51: ""}, wait: 366 * 24 * time.Hour},
		{name: "of a second", terms: map[int]string{51: "00000001"}, answer: func(time.Duration, question) []byte { return nil }, wait: time.Hour, asked: []again{{0, serverA}}, lost: "within its 1s", at: 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.AddressAcquire, func(b *bench) {
				var bound time.Time
				var asked []again
				b.dhcp(serverA, func(q question) [][]byte {
					first := reply{xid: q.xid, yiaddr: offered, options: terms(map[byte]byte{discover: offer, request: ack}[q.kind], serverA, test.terms)}
					if q.kind == discover || bound.IsZero() {
						if q.kind == request {
							bound = q.at
						}
						return [][]byte{first.bytes()}
					}
					asked = append(asked, again{int(q.at.Sub(bound) / time.Second), q.to.String()})
					b.wantRenewing(q)
					if payload := test.answer(q.at.Sub(bound), q); payload != nil {
						return [][]byte{payload}
					}
					return nil
				})
				got, failure := b.h.acquire(b.Context(), b.h.profile.LeaseTimeouts)
				if got == nil {
					b.Fatal(failure)
				}
				b.h.ram.lease = got
				if err := b.h.station.SetAddress(got.address, got.router); err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithDeadline(b.Context(), bound.Add(test.wait))
				defer cancel()
				event, failure := b.h.await(ctx, time.Time{})
				at := int(time.Since(bound) / time.Second)
				synctest.Wait()
				if !slices.Equal(asked, test.asked) {
					b.Errorf("asked again %v, want %v\n%s", asked, test.asked, b.log())
				}
				switch {
				case test.lost == "" && event != "":
					b.Errorf("%s: %v", event, failure)
				case test.lost != "" && (event != devicestate.LeaseLost || failure.Code != "address.lease-lost" || !strings.Contains(failure.Detail(), test.lost) || at != test.at):
					b.Errorf("%s after %d s, want it after %d s: %v\n%s", event, at, test.at, failure, b.log())
				}
				for _, note := range test.notes {
					b.want(timeline.Note, "", note)
				}
			})
		})
	}
}

// wantRenewing looks at the bytes of a REQUEST: the address in ciaddr, and the options of Windows CE in its order, no
// address and no server among them (discovery.md §1.3).
func (b *bench) wantRenewing(q question) {
	b.Helper()
	mac := hex.EncodeToString(handsetMAC)
	want := "350103" + "3d0701" + mac
	if got := hex.EncodeToString(q.data[240:]); q.kind != request || !strings.HasPrefix(got, want) || q.has("3604") || q.has("3204") {
		b.Errorf("message %d with options %s, want a REQUEST that begins with %s", q.kind, got, want)
	}
	if got := fmt.Sprintf("%x", q.data[12:16]); got != hexOf(offered) {
		b.Errorf("ciaddr %s", got)
	}
	order := []byte{}
	for o := q.data[240:]; len(o) > 1 && o[0] != 255; o = o[2+o[1]:] {
		order = append(order, o[0])
	}
	if !slices.Equal(order, []byte{53, 61, 12, 55, 60}) {
		b.Errorf("options %v", order)
	}
}

// TestLeaseLostAndFound: a handset that nobody is signed in on has no address any more, and begins again with DHCP.
func TestLeaseLostAndFound(t *testing.T) {
	onBench(t, devicestate.AddressAcquire, func(b *bench) {
		lost := false
		b.dhcp(serverA, func(q question) [][]byte {
			if q.kind == request && !q.has("3604") {
				lost = true
				return [][]byte{reply{xid: q.xid, options: "350106 3604" + hexOf(serverA)}.bytes()}
			}
			if lost {
				return lends(serverA, "10.0.0.60")(q)
			}
			return lends(serverA, offered)(q)
		})
		if event, failure := b.h.addressAcquire(b.Context()); event != devicestate.AddressBound {
			b.Fatal(failure)
		}
		b.h.machine.State, b.h.machine.Reason = devicestate.SignIn, devicestate.ReasonStart
		_, err := b.h.Run(b.Context(), func(m devicestate.Machine) bool { return m.State != devicestate.SignIn })
		if err != nil || b.h.machine.State != devicestate.AddressAcquire || b.h.station.Address().IsValid() {
			b.Fatalf("%v, state %s, address %v", err, b.h.machine.State, b.h.station.Address())
		}
		_, err = b.h.Run(b.Context(), func(m devicestate.Machine) bool { return m.State == devicestate.UpdateLookup })
		if got := b.h.station.Address().Addr().String(); err != nil || got != "10.0.0.60" {
			b.Errorf("%v, address %s\n%s", err, got, b.log())
		}
		b.want(timeline.Diagnosis, "", "address.lease-lost", "refuses to renew")
	})
}
