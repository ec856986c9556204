package handset

import (
	"encoding/binary"
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

// tell is an answer of a time server, laid out by hand (RFC 4330, 4): leap 0, version 4, mode 4, stratum 3. Its seconds
// are those of the era, so that those of 2036 and later wrap.
func tell(query []byte, seconds uint32) []byte {
	b := unhex("240300ec 00000000 0000028f 7f7f0101")
	b = binary.BigEndian.AppendUint64(b, uint64(seconds-60)<<32) // reference
	b = append(b, query[40:48]...)                               // origin
	b = binary.BigEndian.AppendUint64(b, uint64(seconds)<<32)    // receive
	return binary.BigEndian.AppendUint64(b, uint64(seconds)<<32) // transmit
}

// ntpSeconds are the seconds of t since 1900, modulo an era.
func ntpSeconds(t string) uint32 {
	at, err := time.Parse(time.RFC3339, t)
	if err != nil {
		panic(err)
	}
	return uint32(at.Unix() + 2208988800)
}

// ntp plugs in a time server; script gives the datagrams with which it answers a query.
func (b *bench) ntp(address string, script func(query []byte) [][]byte) {
	b.Helper()
	conn, err := b.station(address).ListenUDP(123)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		buffer := make([]byte, 2048)
		for {
			n, peer, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, answer := range script(slices.Clone(buffer[:n])) {
				if _, err := conn.WriteTo(answer, peer); err != nil {
					b.Error(err)
				}
			}
		}
	}()
}

// TestTimeAnswers: the lease names two time servers. The first one answers as the row has it, the second one says that
// it is 2020.
func TestTimeAnswers(t *testing.T) {
	const now, second = "2013-05-01T09:00:00Z", "2020-01-01T00:00:00Z"
	type change func(b []byte) []byte
	set := func(at int, bytes ...byte) change {
		return func(b []byte) []byte {
			copy(b[at:], bytes)
			return b
		}
	}
	at := func(seconds uint32) func([]byte) [][]byte {
		return func(query []byte) [][]byte { return [][]byte{tell(query, seconds)} }
	}
	alone := func(c change) func([]byte) [][]byte {
		return func(query []byte) [][]byte { return [][]byte{c(tell(query, ntpSeconds(now)))} }
	}
	// first is followed by the right answer.
	first := func(c change) func([]byte) [][]byte {
		return func(query []byte) [][]byte {
			return [][]byte{c(tell(query, ntpSeconds("2030-06-06T06:06:06Z"))), tell(query, ntpSeconds(now))}
		}
	}
	kiss := func(code string) change {
		return func(b []byte) []byte { return set(12, []byte(code)...)(set(1, 0)(b)) }
	}
	for _, test := range []struct {
		name    string
		script  func(query []byte) [][]byte
		want    string
		warning string
		seen    string // note or drop
	}{
		{name: "right", script: alone(set(0)), want: now},
		{name: "version 3", script: alone(set(0, 0x1c)), want: now},
		{name: "stratum 1", script: alone(set(1, 1, 0, 0xec, 0, 0, 0, 0, 0, 0, 0, 0, 'G', 'P', 'S', 0)), want: now},
		{name: "with a message authentication code", script: alone(func(b []byte) []byte { return append(b, make([]byte, 20)...) }), want: now},
		{name: "reference time not set", script: alone(set(16, make([]byte, 8)...)), want: now},

		{name: "the last second of the first era", script: at(0xffffffff), want: "2036-02-07T06:28:15Z"},
		{name: "the second second of the next era", script: at(1), want: "2036-02-07T06:28:17Z"},
		{name: "2036", script: at(ntpSeconds("2036-12-31T23:59:59Z")), want: "2036-12-31T23:59:59Z"},
		{name: "2090", script: at(ntpSeconds("2090-01-01T00:00:00Z")), want: "2090-01-01T00:00:00Z"},
		{name: "before the firmware's date", script: at(ntpSeconds("2001-01-01T00:00:00Z")), want: "2001-01-01T00:00:00Z", seen: "is behind the firmware's own date"},

		{name: "kiss-of-death RATE", script: alone(kiss("RATE")), want: second, warning: `kiss-of-death "RATE"`},
		{name: "kiss-of-death DENY", script: alone(kiss("DENY")), want: second, warning: `kiss-of-death "DENY"`},
		{name: "kiss-of-death RSTR", script: alone(kiss("RSTR")), want: second, warning: `kiss-of-death "RSTR"`},
		{name: "kiss-of-death with a code of control characters", script: alone(kiss("\x1b[2J")), want: second, warning: `kiss-of-death "`},
		{name: "kiss-of-death that is forged", script: first(func(b []byte) []byte { return set(24, 1, 2, 3, 4)(kiss("DENY")(b)) }), want: now, seen: "an answer to another question"},

		{name: "not synchronised, leap 3", script: alone(set(0, 0xe4)), want: second, seen: "invalid leap second"},
		{name: "stratum 16", script: alone(set(1, 16)), want: second, seen: "invalid stratum"},
		{name: "stratum 255", script: alone(set(1, 255)), want: second, seen: "invalid stratum"},
		{name: "transmit time 0", script: alone(set(40, make([]byte, 8)...)), want: second, seen: "invalid transmit time"},
		{name: "sent before it was received", script: alone(set(32, 0xff, 0xff, 0xff, 0xff)), want: second, seen: "ticked backwards"},
		{name: "20 s from its reference", script: alone(set(8, 0, 20, 0, 0)), want: second, seen: "invalid dispersion"},
		{name: "silence", script: func([]byte) [][]byte { return nil }, want: second, seen: "i/o timeout"},

		{name: "origin of somebody else first", script: first(set(24, 1, 2, 3, 4, 5, 6, 7, 8)), want: now, seen: "an answer to another question: origin 0102030405060708"},
		{name: "origin 0 first", script: first(set(24, make([]byte, 8)...)), want: now, seen: "origin 0000000000000000"},
		{name: "the query itself first", script: func(query []byte) [][]byte { return [][]byte{query, tell(query, ntpSeconds(now))} }, want: now, seen: "mode 3, 4 expected"},
		{name: "symmetric mode first", script: first(set(0, 0x21)), want: now, seen: "mode 1, 4 expected"},
		{name: "broadcast mode first", script: first(set(0, 0x25)), want: now, seen: "mode 5, 4 expected"},
		{name: "control mode first", script: first(set(0, 0x26)), want: now, seen: "mode 6, 4 expected"},
		{name: "version 0 first", script: first(set(0, 0x04)), want: now, seen: "version 0, 1 to 4 expected"},
		{name: "version 5 first", script: first(set(0, 0x2c)), want: now, seen: "version 5, 1 to 4 expected"},
		{name: "version 7 first", script: first(set(0, 0x3c)), want: now, seen: "version 7, 1 to 4 expected"},
		{name: "half an extension first", script: first(func(b []byte) []byte { return append(b, 0, 0) }), want: now, seen: "extension of 2 bytes"},
		{name: "1028 bytes first", script: first(func(b []byte) []byte { return append(b, make([]byte, 980)...) }), want: now, seen: "packet of 1028 bytes"},
		{name: "every length below 48 first", script: func(query []byte) [][]byte {
			var all [][]byte
			for n := range 48 {
				all = append(all, tell(query, 7)[:n])
			}
			return append(all, tell(query, ntpSeconds(now)))
		}, want: now, seen: "packet of 47 bytes, 48 to 1024 expected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.TimeSync, func(b *bench) {
				b.addressed()
				b.h.ram.lease.ntp = []netip.Addr{netip.MustParseAddr(serverA), netip.MustParseAddr(serverB)}
				b.ntp(serverA, test.script)
				b.ntp(serverB, func(query []byte) [][]byte { return [][]byte{tell(query, ntpSeconds(second))} })
				event, failure := b.h.timeSync(b.Context())
				if got := b.h.now().UTC().Round(time.Second).Format(time.RFC3339); event != devicestate.ClockSet || got != test.want {
					b.Fatalf("%v, %v: %s, want %s\n%s", event, failure, got, test.want, b.log())
				}
				if test.warning != "" {
					b.want(timeline.Diagnosis, "", "time.refused", serverA, test.warning)
				} else if len(b.h.out.Warnings) > 0 {
					b.Errorf("warnings %v", b.h.out.Warnings)
				}
				if test.seen != "" && !strings.Contains(b.log(), test.seen) {
					b.Errorf("no %q in\n%s", test.seen, b.log())
				}
				if strings.ContainsRune(b.log(), '\x1b') {
					b.Error("a control character came through")
				}
			})
		})
	}
}

// TestRefusingTimeServer is named by option 42 and by SRV, and asked once (RFC 4330, 8).
func TestRefusingTimeServer(t *testing.T) {
	onBench(t, devicestate.TimeSync, func(b *bench) {
		b.addressed(serverB)
		b.h.ram.lease.ntp = []netip.Addr{netip.MustParseAddr(serverA)}
		queries := 0
		b.ntp(serverA, func(query []byte) [][]byte {
			queries++
			refusal := tell(query, 0)
			copy(refusal[12:], "DENY")
			refusal[1] = 0
			copy(refusal[40:], query[40:48]) // as chronyd and ntpd do
			return [][]byte{refusal}
		})
		b.dns(serverB, func(q asked) [][]byte {
			switch q.name() {
			case "_ntp._udp.contoso.com":
				return [][]byte{q.says(noError, one, record("c00c", typeSRV, "0000 0000 007b"+labels("time.contoso.com")))}
			case "time.contoso.com":
				return [][]byte{q.says(noError, one, record("c00c", typeA, hexOf(serverA)))}
			}
			return [][]byte{q.says(noError|3, none)}
		})
		before := b.h.now()
		event, _ := b.h.timeSync(b.Context())
		synctest.Wait()
		if event != devicestate.ClockUnset || b.h.clockSynced || !b.h.now().Equal(before) {
			b.Errorf("%v, the clock shows %v, it was %v", event, b.h.now(), before)
		}
		if queries != 1 {
			b.Errorf("asked %d times, want once", queries)
		}
		b.want(timeline.Note, "", fmt.Sprintf("time server %s of srv is not asked again: it refused", serverA))
		b.want(timeline.Diagnosis, "", "time.no-answer")
	})
}
