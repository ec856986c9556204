package handset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// asked is a DNS query that reached a server.
type asked struct {
	n      int // 1 for the first one
	query  []byte
	remote string
}

// name of the question, in lower case.
func (q asked) name() string {
	var labels []string
	for at := 12; q.query[at] != 0; at += 1 + int(q.query[at]) {
		labels = append(labels, string(q.query[at+1:at+1+int(q.query[at])]))
	}
	return strings.ToLower(strings.Join(labels, "."))
}

// says is an answer laid out by hand (RFC 1035 §4.1): the query's ID, flags and counts, the query's question, and
// records as hexadecimal digits. c00c in them points to the question's name.
func (q asked) says(flags uint16, counts string, records ...string) []byte {
	b := slices.Clone(q.query[:2])
	b = binary.BigEndian.AppendUint16(b, flags)
	b = append(b, unhex(counts)...)
	b = append(b, q.query[12:]...)
	return append(b, unhex(strings.Join(records, ""))...)
}

// Flags of an answer, and counts of one question and so many answers.
const (
	noError   = 0x8580 // response, authoritative, recursion desired and available
	truncated = 0x8380
	one       = "0001 0001 0000 0000"
	none      = "0001 0000 0000 0000"
)

func answers(n int) string { return fmt.Sprintf("0001 %04x 0000 0000", n) }

// record with its owner's name and data in hexadecimal digits.
func record(owner string, kind int, data string) string {
	return fmt.Sprintf("%s %04x 0001 00000000 %04x %s", owner, kind, len(unhex(data)), data)
}

// labels writes a name without compression.
func labels(name string) string {
	var b strings.Builder
	for label := range strings.SplitSeq(name, ".") {
		fmt.Fprintf(&b, "%02x%x", len(label), label)
	}
	return b.String() + "00"
}

const (
	typeA     = 1
	typeCNAME = 5
	typeAAAA  = 28
	typeSRV   = 33
	right     = "0a000007" // 10.0.0.7
	evil      = "0a000042"
)

// dns plugs in a name server; script gives the datagrams with which it answers each query, which may be none.
func (b *bench) dns(address string, script func(q asked) [][]byte) ethernet.Station {
	b.Helper()
	s := b.station(address)
	conn, err := s.ListenUDP(53)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		buffer := make([]byte, 2048)
		for n := 1; ; n++ {
			size, peer, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, answer := range script(asked{n, slices.Clone(buffer[:size]), peer.String()}) {
				if _, err := conn.WriteTo(answer, peer); err != nil {
					b.Error(err)
				}
			}
		}
	}()
	return s
}

// rightAnswer is what the server says at last.
func rightAnswer(q asked) []byte { return q.says(noError, one, record("c00c", typeA, right)) }

// TestHostAnswers asks for the address of sip.contoso.com. 10.0.0.1 answers as the row has it, 10.0.0.2, the second
// server, always rightly with 10.0.0.8.
func TestHostAnswers(t *testing.T) {
	first := func(odd func(q asked) []byte) func(asked) [][]byte {
		return func(q asked) [][]byte { return [][]byte{odd(q), rightAnswer(q)} }
	}
	alone := func(odd func(q asked) []byte) func(asked) [][]byte {
		return func(q asked) [][]byte { return [][]byte{odd(q)} }
	}
	code := func(code uint16) func(asked) [][]byte {
		return alone(func(q asked) []byte { return q.says(noError|code, none) })
	}
	var (
		x = labels("x.contoso.com")
		y = labels("y.contoso.com")
		z = labels("z.contoso.com")
	)
	for _, test := range []struct {
		name    string
		script  func(q asked) [][]byte
		want    string // addresses, or
		err     error
		dropped string
	}{
		{name: "one record", script: alone(rightAnswer), want: "10.0.0.7"},
		{name: "the question in another case", script: alone(func(q asked) []byte {
			b := rightAnswer(q)
			copy(b[13:], "SiP")
			return b
		}), want: "10.0.0.7"},
		{name: "two records", script: alone(func(q asked) []byte {
			return q.says(noError, answers(2), record("c00c", typeA, right), record("c00c", typeA, "0a000008"))
		}), want: "10.0.0.7 10.0.0.8"},
		{name: "additional records that are none", script: alone(func(q asked) []byte {
			return q.says(noError, "0001 0001 0000 0009", record("c00c", typeA, right), "c0ffee")
		}), want: "10.0.0.7"},
		{name: "alias and address", script: alone(func(q asked) []byte {
			return q.says(noError, answers(2), record("c00c", typeCNAME, x), record(x, typeA, right))
		}), want: "10.0.0.7"},
		{name: "three aliases, in no order", script: alone(func(q asked) []byte {
			return q.says(noError, answers(4), record(z, typeA, right), record(y, typeCNAME, z), record("c00c", typeCNAME, x), record(x, typeCNAME, y))
		}), want: "10.0.0.7"},
		{name: "alias alone, its name is asked for", script: func(q asked) [][]byte {
			if q.name() == "x.contoso.com" {
				return [][]byte{rightAnswer(q)}
			}
			return [][]byte{q.says(noError, one, record("c00c", typeCNAME, x))}
		}, want: "10.0.0.7"},
		{name: "aliases in a ring", script: alone(func(q asked) []byte {
			return q.says(noError, answers(3), record("c00c", typeCNAME, x), record(x, typeCNAME, y), record(y, typeCNAME, "c00c"))
		}), err: errAliases},
		{name: "alias of itself", script: alone(func(q asked) []byte { return q.says(noError, one, record("c00c", typeCNAME, "c00c")) }), err: errAliases},
		{name: "aliases on and on, one an answer", script: alone(func(q asked) []byte {
			return q.says(noError, one, record("c00c", typeCNAME, labels(fmt.Sprintf("a%d.contoso.com", q.n))))
		}), err: errAliases},
		{name: "alias with a line break", script: alone(func(q asked) []byte { return q.says(noError, one, record("c00c", typeCNAME, "02 0d0a 00")) }), err: errNoData, dropped: `alias "\r\n" is no host name`},
		{name: "records of other names alone", script: alone(func(q asked) []byte {
			return q.says(noError, answers(2), record(x, typeA, evil), record(y, typeA, evil))
		}), err: errNoData, dropped: "2 records of other names or kinds"},
		{name: "records of other names besides", script: alone(func(q asked) []byte {
			return q.says(noError, answers(3), record(x, typeA, evil), record("c00c", typeA, right), record(y, typeA, evil))
		}), want: "10.0.0.7", dropped: "2 records of other names or kinds"},
		{name: "alias of another name", script: alone(func(q asked) []byte {
			return q.says(noError, answers(2), record(x, typeCNAME, y), record(y, typeA, evil))
		}), err: errNoData, dropped: "2 records of other names or kinds"},
		{name: "AAAA alone", script: alone(func(q asked) []byte {
			return q.says(noError, one, record("c00c", typeAAAA, strings.Repeat("20", 16)))
		}), err: errNoData, dropped: "1 records of other names or kinds"},
		{name: "another class", script: alone(func(q asked) []byte {
			return q.says(noError, one, "c00c 0001 0003 00000000 0004"+evil)
		}), err: errNoData, dropped: "1 records"},
		{name: "no records", script: code(0), err: errNoData},
		{name: "NXDOMAIN", script: code(3), err: errNoName},
		{name: "FORMERR", script: code(1), want: "10.0.0.8"},
		{name: "SERVFAIL", script: code(2), want: "10.0.0.8"},
		{name: "NOTIMP", script: code(4), want: "10.0.0.8"},
		{name: "REFUSED", script: code(5), want: "10.0.0.8"},
		{name: "code 15", script: code(15), want: "10.0.0.8"},
		{name: "silence", script: func(asked) [][]byte { return nil }, want: "10.0.0.8"},
		{name: "0.0.0.0 and a group", script: alone(func(q asked) []byte {
			return q.says(noError, answers(3), record("c00c", typeA, "00000000"), record("c00c", typeA, "efffffff"), record("c00c", typeA, right))
		}), want: "10.0.0.7", dropped: "A 0.0.0.0 is no host's address"},
		{name: "0.0.0.0 alone", script: alone(func(q asked) []byte { return q.says(noError, one, record("c00c", typeA, "00000000")) }), err: errNoData, dropped: "no host's address"},
		{name: "80 records", script: alone(func(q asked) []byte {
			return q.says(noError, answers(80), strings.Repeat(record("c00c", typeA, right), 80))
		}), want: strings.TrimSpace(strings.Repeat("10.0.0.7 ", maxRecords)), dropped: "48 of 80 records are not used"},
		{name: "1501 bytes", script: first(func(q asked) []byte { return append(rightAnswer(q), make([]byte, 1501)...) }), want: "10.0.0.7", dropped: "more than 1500 bytes"},

		// What is not an answer to this question is passed over, and the right answer behind it is taken.
		{name: "another ID first", script: first(func(q asked) []byte {
			b := q.says(noError, one, record("c00c", typeA, evil))
			b[0] ^= 0xff
			return b
		}), want: "10.0.0.7", dropped: "an answer to another question: ID"},
		{name: "the query itself first", script: first(func(q asked) []byte { return q.query }), want: "10.0.0.7", dropped: "response false"},
		{name: "another question first", script: first(func(q asked) []byte {
			b := q.says(noError, one, record("c00c", typeA, evil))
			b[13] = 'x'
			return b
		}), want: "10.0.0.7", dropped: "an answer to another question: 1 questions, not A sip.contoso.com"},
		{name: "another type first", script: first(func(q asked) []byte {
			b := q.says(noError, one, record("c00c", typeA, evil))
			b[len(q.query)-3] = typeAAAA
			return b
		}), want: "10.0.0.7", dropped: "not A sip.contoso.com"},
		{name: "no question first", script: first(func(q asked) []byte { return slices.Concat(q.query[:2], unhex("8182 0000 0000 0000 0000")) }), want: "10.0.0.7", dropped: "0 questions"},
		{name: "nothing first", script: first(func(asked) []byte { return nil }), want: "10.0.0.7", dropped: "0 bytes are no DNS message"},
		{name: "11 bytes first", script: first(func(q asked) []byte { return rightAnswer(q)[:11] }), want: "10.0.0.7", dropped: "11 bytes are no DNS message"},
		{name: "cut in the question first", script: first(func(q asked) []byte { return rightAnswer(q)[:20] }), want: "10.0.0.7", dropped: "no DNS message"},
		{name: "cut in the address first", script: first(func(q asked) []byte { b := rightAnswer(q); return b[:len(b)-1] }), want: "10.0.0.7", dropped: "no DNS message"},
		{name: "fewer records than said first", script: first(func(q asked) []byte { return q.says(noError, answers(65535), record("c00c", typeA, evil)) }), want: "10.0.0.7", dropped: "no DNS message"},
		{name: "a name that points to itself first", script: first(func(q asked) []byte {
			return q.says(noError, one, record(fmt.Sprintf("c0%02x", len(q.query)), typeA, evil))
		}), want: "10.0.0.7", dropped: "no DNS message"},
		{name: "names that point to each other first", script: first(func(q asked) []byte {
			n := len(q.query)
			return q.says(noError, one, record(fmt.Sprintf("0161c0%02x0161c0%02x", n+4, n), typeA, evil))
		}), want: "10.0.0.7", dropped: "no DNS message"},
		{name: "a pointer behind the end first", script: first(func(q asked) []byte { return q.says(noError, one, record("ffff", typeA, evil)) }), want: "10.0.0.7", dropped: "no DNS message"},
		{name: "a label of 64 first", script: first(func(q asked) []byte {
			return q.says(noError, one, record("40"+strings.Repeat("61", 64)+"00", typeA, evil))
		}), want: "10.0.0.7", dropped: "no DNS message"},
		{name: "a name of 256 bytes first", script: first(func(q asked) []byte {
			return q.says(noError, one, record(strings.Repeat("3f"+strings.Repeat("61", 63), 4)+"00", typeA, evil))
		}), want: "10.0.0.7", dropped: "no DNS message"},
		{name: "an address of 3 bytes first", script: first(func(q asked) []byte { return q.says(noError, one, record("c00c", typeA, "0a0000")) }), want: "10.0.0.7", dropped: "no DNS message"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.UpdateLookup, func(b *bench) {
				b.addressed(serverA, serverB)
				queries := 0
				b.dns(serverA, func(q asked) [][]byte {
					queries++
					return test.script(q)
				})
				b.dns(serverB, func(q asked) [][]byte { return [][]byte{q.says(noError, one, record("c00c", typeA, "0a000008"))} })
				began := time.Now()
				got, err := b.h.lookupHost(b.Context(), "sip.contoso.com")
				if text := strings.Trim(fmt.Sprint(got), "[]"); test.want != text || !errors.Is(err, test.err) {
					b.Errorf("%s, %v; want %s, %v\n%s", text, err, test.want, test.err, b.log())
				}
				if test.dropped != "" {
					b.want(timeline.Dropped, "dns", test.dropped)
				}
				took := time.Since(began)
				synctest.Wait()
				if queries > maxAliases || took > b.h.profile.DNSTimeout {
					b.Errorf("%d queries, %v", queries, took)
				}
			})
		})
	}
}

// TestTruncatedAnswer: an answer with TC is asked for again over TCP (RFC 7766), at the same server.
func TestTruncatedAnswer(t *testing.T) {
	whole := func(q asked) []byte {
		b := q.says(noError, answers(60), strings.Repeat(record("c00c", typeA, right), 60))
		return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
	}
	for _, test := range []struct {
		name    string
		udp     func(q asked) []byte // nil: TC and no record
		tcp     func(q asked) []byte // what is sent before the end; nil: nobody listens
		open    bool                 // the connection stays open
		want    string
		dropped string
	}{
		{name: "whole over TCP", tcp: whole, want: "10.0.0.7"},
		{name: "records besides TC do not count", udp: func(q asked) []byte { return q.says(truncated, one, record("c00c", typeA, evil)) }, tcp: whole, want: "10.0.0.7"},
		{name: "cut in a record", udp: func(q asked) []byte { return q.says(truncated, answers(60), "c00c 0001 00") }, tcp: whole, want: "10.0.0.7"},
		{name: "nobody listens", want: "10.0.0.8"},
		{name: "closed at once", tcp: func(asked) []byte { return nil }, want: "10.0.0.8"},
		{name: "half a length", tcp: func(asked) []byte { return []byte{1} }, want: "10.0.0.8"},
		{name: "length 0", tcp: func(asked) []byte { return []byte{0, 0} }, want: "10.0.0.8", dropped: "0 bytes are no DNS message"},
		{name: "half a message", tcp: func(q asked) []byte { return whole(q)[:40] }, want: "10.0.0.8"},
		{name: "no end of it", tcp: func(q asked) []byte { return whole(q)[:40] }, open: true, want: "10.0.0.8"},
		{name: "silence", tcp: func(asked) []byte { return nil }, open: true, want: "10.0.0.8"},
		{name: "another ID", tcp: func(q asked) []byte { b := whole(q); b[2] ^= 0xff; return b }, want: "10.0.0.8", dropped: "an answer to another question"},
		{name: "truncated over TCP too", tcp: func(q asked) []byte {
			b := q.says(truncated, none)
			return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
		}, want: "10.0.0.8", dropped: "truncated"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.UpdateLookup, func(b *bench) {
				b.addressed(serverA, serverB)
				s := b.dns(serverA, func(q asked) [][]byte {
					if test.udp != nil {
						return [][]byte{test.udp(q)}
					}
					return [][]byte{q.says(truncated, none)}
				})
				b.dns(serverB, func(q asked) [][]byte { return [][]byte{q.says(noError, one, record("c00c", typeA, "0a000008"))} })
				if test.tcp != nil {
					l, err := s.ListenTCP(53)
					if err != nil {
						b.Fatal(err)
					}
					go b.dnsOverTCP(l, test.tcp, test.open)
				}
				began := time.Now()
				got, err := b.h.lookupHost(b.Context(), "sip.contoso.com")
				if err != nil || got[0].String() != test.want {
					b.Errorf("%v, %v; want %s\n%s", got, err, test.want, b.log())
				}
				b.want(timeline.Received, "dns", "truncated, asked again over TCP")
				if test.dropped != "" {
					b.want(timeline.Dropped, "dns", test.dropped)
				}
				if took := time.Since(began); took > b.h.profile.DNSTimeout {
					b.Errorf("took %v", took)
				}
			})
		})
	}
}

// dnsOverTCP answers one query a connection.
func (b *bench) dnsOverTCP(l net.Listener, answer func(q asked) []byte, open bool) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		size := make([]byte, 2)
		if _, err := io.ReadFull(conn, size); err != nil {
			b.Error(err)
		}
		query := make([]byte, binary.BigEndian.Uint16(size))
		if _, err := io.ReadFull(conn, query); err != nil {
			b.Error(err)
		}
		if _, err := conn.Write(answer(asked{query: query})); err != nil {
			b.Error(err)
		}
		if open {
			io.Copy(io.Discard, conn) // until the handset gives up
		}
		conn.Close()
	}
}

// TestForeignAnswers: what another address or another port than the server's answers is never read.
func TestForeignAnswers(t *testing.T) {
	for _, test := range []struct{ name, address, port string }{
		{"another address", "10.0.0.66", "53"},
		{"another port", serverA, "5353"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.UpdateLookup, func(b *bench) {
				b.addressed(serverA)
				spoofer := b.station("")
				handset := b.h.station
				b.dns(serverA, func(q asked) [][]byte {
					_, port, err := net.SplitHostPort(q.remote)
					if err != nil {
						b.Fatal(err)
					}
					forged := q.says(noError, one, record("c00c", typeA, evil))
					if err := spoofer.SendFrame(udpFrame(spoofer.MAC(), handset.MAC(), test.address, test.port, "10.0.0.9", port, forged)); err != nil {
						b.Error(err)
					}
					time.Sleep(time.Millisecond)
					return [][]byte{rightAnswer(q)}
				})
				got, err := b.h.lookupHost(b.Context(), "sip.contoso.com")
				if err != nil || len(got) != 1 || got[0].String() != "10.0.0.7" {
					b.Errorf("%v, %v\n%s", got, err, b.log())
				}
			})
		})
	}
}

// TestServiceAnswers asks for SRV _sipinternaltls._tcp.contoso.com.
func TestServiceAnswers(t *testing.T) {
	srv := func(priority, weight, port int, target string) string {
		return record("c00c", typeSRV, fmt.Sprintf("%04x %04x %04x %s", priority, weight, port, target))
	}
	pool, other := labels("pool.contoso.com"), labels("other.contoso.com")
	for _, test := range []struct {
		name    string
		counts  string
		records []string
		want    string
		dropped string
	}{
		{"without additional records, unbound", one, []string{srv(0, 0, 5061, pool)}, "pool.contoso.com:5061", ""},
		{"with additional records of TTL 0, dnsmasq", "0001 0001 0000 0001", []string{srv(0, 0, 5061, pool), record(pool, typeA, evil)}, "pool.contoso.com:5061", ""},
		{"target with a pointer", one, []string{srv(0, 0, 5061, "04706f6f6c c021")}, "pool.contoso.com:5061", ""},
		{"priority before weight", answers(3), []string{srv(20, 9, 3, pool), srv(10, 1, 2, pool), srv(10, 5, 1, pool)}, "pool.contoso.com:1 pool.contoso.com:2 pool.contoso.com:3", ""},
		{"weight 65535 and 0", answers(2), []string{srv(0, 0, 2, pool), srv(0, 65535, 1, other)}, "other.contoso.com:1 pool.contoso.com:2", ""},
		{"target in capitals", one, []string{srv(0, 0, 5061, "04504f4f4c"+labels("contoso.com"))}, "pool.contoso.com:5061", ""},
		{"target .", one, []string{srv(0, 0, 5061, "00")}, "", `SRV target ".": the service is decidedly not available`},
		{"target . and another", answers(2), []string{srv(0, 0, 0, "00"), srv(9, 0, 5061, pool)}, "pool.contoso.com:5061", `SRV target "."`},
		{"port 0", answers(2), []string{srv(0, 0, 0, pool), srv(9, 0, 5061, other)}, "other.contoso.com:5061", "SRV target pool.contoso.com with port 0"},
		{"target that would end a SIP header", one, []string{srv(0, 0, 5061, "05 610d0a623a 00")}, "", `SRV target "a\r\nb:" is no host name`},
		{"target of 6 bytes that is cut", one, []string{record("c00c", typeSRV, "0000 0000 13c5")}, "", "no DNS message"},
		{"alias", answers(2), []string{record("c00c", typeCNAME, other), record(other, typeSRV, "0000 0000 13c5"+pool)}, "pool.contoso.com:5061", ""},
		{"of another name", one, []string{record(other, typeSRV, "0000 0000 13c5"+pool)}, "", "1 records of other names"},
		{"an address", one, []string{record("c00c", typeA, evil)}, "", "1 records of other names or kinds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.UpdateLookup, func(b *bench) {
				b.addressed(serverA)
				b.dns(serverA, func(q asked) [][]byte { return [][]byte{q.says(noError, test.counts, test.records...)} })
				got, err := b.h.lookupService(b.Context(), "_sipinternaltls._tcp.contoso.com")
				var list []string
				for _, s := range got {
					list = append(list, fmt.Sprintf("%s:%d", s.target, s.port))
				}
				if text := strings.Join(list, " "); text != test.want || (err == nil) != (test.want != "") {
					b.Errorf("%q, %v; want %q\n%s", text, err, test.want, b.log())
				}
				if test.dropped != "" {
					b.want(timeline.Dropped, "dns", test.dropped)
				}
			})
		})
	}
}

// TestNoNameServerAnswers: each server is asked as often as the profile says, and then it is over.
func TestNoNameServerAnswers(t *testing.T) {
	onBench(t, devicestate.UpdateLookup, func(b *bench) {
		b.addressed(serverA, serverB)
		garbage := func(q asked) [][]byte { return slices.Repeat([][]byte{{0xff}}, 100) }
		b.dns(serverA, garbage)
		b.dns(serverB, garbage)
		began := time.Now()
		_, err := b.h.lookupHost(b.Context(), "sip.contoso.com")
		want := time.Duration(2*b.h.profile.DNSTries) * b.h.profile.DNSTimeout
		if took := time.Since(began); err == nil || took != want {
			b.Errorf("%v after %v, want an error after %v", err, took, want)
		}
		synctest.Wait()
	})
}

// udpFrame is an Ethernet frame with a UDP datagram, laid out by hand (RFC 791, RFC 768, no UDP checksum).
func udpFrame(from, to net.HardwareAddr, src, srcPort, dst, dstPort string, payload []byte) []byte {
	port := func(s string) string {
		var n int
		if _, err := fmt.Sscan(s, &n); err != nil {
			panic(err)
		}
		return fmt.Sprintf("%04x", n)
	}
	header := unhex(fmt.Sprintf("4500 %04x 0000 0000 40 11 0000 %s %s", 28+len(payload), hexOf(src), hexOf(dst)))
	binary.BigEndian.PutUint16(header[10:], internetSum(header...))
	udp := unhex(port(srcPort) + port(dstPort) + fmt.Sprintf("%04x 0000", 8+len(payload)))
	return slices.Concat(to, from, []byte{8, 0}, header, udp, payload)
}
