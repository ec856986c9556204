package handset

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Options 43 and 120 as discovery.md §0 gives them; pool2 is lyncpool2.contoso.com.
const (
	option43 = "010c4d532d55432d436c69656e74" + "02056874747073" + "03146c796e63706f6f6c2e636f6e746f736f2e636f6d" + "0403343433" +
		"05252f4365727450726f762f4365727450726f766973696f6e696e67536572766963652e737663"
	option120 = "00" + pool1
	pool1     = "086c796e63706f6f6c07636f6e746f736f03636f6d00"
	pool2     = "096c796e63706f6f6c3207636f6e746f736f03636f6d00"
	certURL   = "https://lyncpool.contoso.com:443/CertProv/CertProvisioningService.svc"
)

// tells answers INFORM with an ACK that has these options, without an address and lease time.
func tells(server, options string) func(question) [][]byte {
	return func(q question) [][]byte {
		if q.kind != inform {
			return nil
		}
		return [][]byte{reply{xid: q.xid, options: "350105 3604" + hexOf(server) + options}.bytes()}
	}
}

// option is one option, in as many parts of 255 bytes as it needs (RFC 3396).
func option(code int, value string) string {
	value = strings.Join(strings.Fields(value), "")
	var b strings.Builder
	for {
		part := value[:min(len(value), 510)]
		fmt.Fprintf(&b, "%02x%02x%s", code, len(part)/2, part)
		if value = value[len(part):]; value == "" {
			return b.String()
		}
	}
}

// TestInformAnswers gives the handset one ACK to its INFORM.
func TestInformAnswers(t *testing.T) {
	label63 := "3f" + strings.Repeat("61", 63)
	for _, test := range []struct {
		name    string
		options string
		file    string // of the boot file name field, with option 52
		pool    string
		url     string
		warning string
	}{
		{name: "as discovery.md §0 has it", options: option(43, option43) + option(120, option120), pool: "lyncpool.contoso.com", url: certURL},
		{name: "120 before 43", options: option(120, option120) + option(43, option43), pool: "lyncpool.contoso.com", url: certURL},
		{name: "unasked options, 60 echoed", options: "0104ffffff00 1c040a0000ff 3304ffffffff 3c0c4d532d55432d436c69656e74" + option(120, option120), pool: "lyncpool.contoso.com"},
		{name: "two names, uncompressed", options: option(120, option120+pool2), pool: "lyncpool.contoso.com"},
		{name: "two names, the second with a pointer, dnsmasq", options: option(120, option120+"096c796e63706f6f6c32c009"), pool: "lyncpool.contoso.com"},
		{name: "the second name only a pointer", options: option(120, option120+"c000"), pool: "lyncpool.contoso.com"},
		{name: "fifteen names, 332 bytes (RFC 3396)", options: option(120, option120+strings.Repeat(pool2, 14)), pool: "lyncpool.contoso.com"},
		{name: "cut in the name's middle (RFC 3396)", options: "7808" + option120[:16] + "43" + "0103" + "78" + "0f" + option120[16:], pool: "lyncpool.contoso.com"},
		{name: "half in the boot file name field (RFC 3396)", options: "340101 7808" + option120[:16], file: "780f" + option120[16:] + "ff", pool: "lyncpool.contoso.com"},
		{name: "43 of 300 bytes (RFC 3396)", options: option(43, option43+"c8d3"+strings.Repeat("00", 211)) + option(120, option120), pool: "lyncpool.contoso.com", url: certURL},
		{name: "none", options: "", warning: "discovery.option120-missing"},
		{name: "empty", options: "7800", warning: "discovery.option120-empty"},
		{name: "type byte alone", options: "780100", warning: "discovery.option120-empty"},
		{name: "type 1, addresses", options: option(120, "010a37000a"), warning: "discovery.option120-address"},
		{name: "type 2", options: option(120, "02"+pool1), warning: "discovery.option120-no-type"},
		{name: "type 255", options: option(120, "ff"+pool1), warning: "discovery.option120-no-type"},
		{name: "no type", options: option(120, pool1), warning: "discovery.option120-no-type"},
		{name: "text", options: option(120, hex.EncodeToString([]byte("lyncpool.contoso.com"))), warning: "discovery.option120-text"},
		{name: "pointer to itself", options: option(120, "00 c000"), warning: "discovery.option120-truncated"},
		{name: "pointers in a ring", options: option(120, "00 0161c002 0161c000"), warning: "discovery.option120-truncated"},
		{name: "pointer forwards", options: option(120, "00 0161c004 000161"), warning: "discovery.option120-truncated"},
		{name: "pointer behind the end", options: option(120, "00 0161c0ff"), warning: "discovery.option120-truncated"},
		{name: "pointer counted from the type byte", options: option(120, option120+"096c796e63706f6f6c32c00a"), warning: "discovery.option120-truncated"},
		{name: "half a pointer", options: option(120, "00 0161c0"), warning: "discovery.option120-truncated"},
		{name: "label of 64", options: option(120, "00 40"+strings.Repeat("61", 64)+"00"), warning: "discovery.option120-truncated"},
		{name: "name of 256 bytes (RFC 3396)", options: option(120, "00"+strings.Repeat(label63, 4)+"00"), warning: "discovery.option120-truncated"},
		{name: "longer by pointers than 255 bytes", options: option(120, "00"+strings.Repeat(label63, 3)+"00"+label63+"c000"), warning: "discovery.option120-truncated"},
		{name: "no root", options: option(120, strings.TrimSuffix(option120, "00")), warning: "discovery.option120-truncated"},
		{name: "a line break in the name", options: option(120, "00 03610d0a 00"), warning: "discovery.option120-truncated"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.PoolDiscover, func(b *bench) {
				b.addressed()
				b.dhcp(serverA, func(q question) [][]byte {
					return [][]byte{reply{xid: q.xid, options: "350105 3604" + hexOf(serverA) + test.options, file: test.file}.bytes()}
				})
				got := b.h.openInform().inform(b.Context())
				if got.pool != test.pool || got.url != test.url {
					b.Errorf("registrar %q, URL %q, want %q and %q\n%s", got.pool, got.url, test.pool, test.url, b.log())
				}
				if test.warning != "" {
					b.want(timeline.Diagnosis, "", test.warning, serverA)
				} else if len(b.h.out.Warnings) != 0 {
					b.Errorf("warnings %v", b.h.out.Warnings)
				}
			})
		})
	}
}

// TestTwoInformServers: the first ACK with a usable option 120 wins and its option 43 alone counts.
func TestTwoInformServers(t *testing.T) {
	both, other := option(43, option43)+option(120, option120), option(120, "00"+pool2)
	for _, test := range []struct {
		name    string
		a, b    string // options of the two ACKs, that of B two seconds after that of A
		pool    string
		url     string
		dropped []string
	}{
		{"both whole", both, other, "lyncpool.contoso.com", certURL, []string{"too late: ACK of DHCP server 10.0.0.2, with registrar lyncpool2.contoso.com", "10.0.0.1 came first"}},
		{"120 without 43, then both", option(120, option120), both, "lyncpool.contoso.com", "", []string{"too late: ACK of DHCP server 10.0.0.2"}},
		{"43, then 120", option(43, option43), other, "lyncpool2.contoso.com", "", []string{"10.0.0.1", "option 43 is not used: DHCP server 10.0.0.2 named the registrar"}},
		{"43 with a bad 120, then both", option(43, option43) + option(120, pool1), both, "lyncpool.contoso.com", certURL, nil},
		{"43, then 43", option(43, option43), option(43, option43), "", certURL, []string{"10.0.0.2", "that of DHCP server 10.0.0.1 came first"}},
		{"nothing, then both", "", both, "lyncpool.contoso.com", certURL, nil},
		{"120 cannot be used twice", option(120, pool1), option(120, "01"+"0a37000a"), "", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.PoolDiscover, func(b *bench) {
				b.addressed()
				b.dhcp(serverA, tells(serverA, test.a))
				b.dhcp(serverB, func(q question) [][]byte {
					time.Sleep(time.Second)
					return tells(serverB, test.b)(q)
				})
				got := b.h.openInform().inform(b.Context())
				time.Sleep(lingerFor)
				synctest.Wait()
				if got.pool != test.pool || got.url != test.url {
					b.Errorf("registrar %q, URL %q, want %q and %q\n%s", got.pool, got.url, test.pool, test.url, b.log())
				}
				if test.dropped != nil {
					b.want(timeline.Dropped, "dhcp", test.dropped...)
				}
				for _, server := range []string{serverA, serverB} {
					if !strings.Contains(b.log(), server) {
						b.Errorf("the timeline does not name %s:\n%s", server, b.log())
					}
				}
			})
		})
	}
}

// TestOddInformAnswers: what comes besides the right ACK does not hinder it.
func TestOddInformAnswers(t *testing.T) {
	both := option(43, option43) + option(120, option120)
	elsewhere := option(120, "00"+pool2)
	for _, test := range []struct {
		name    string
		odd     func(q question) reply // comes before the right ACK
		dropped string
	}{
		{"a NAK (packetfence 3146)", func(q question) reply { return reply{xid: q.xid, options: "350106 3604 0a000002"} }, "NAK: an INFORM is answered by an ACK or not at all"},
		{"an OFFER", func(q question) reply { return reply{xid: q.xid, yiaddr: offered, options: terms(offer, serverB, nil)} }, "OFFER: an INFORM is answered"},
		{"an ACK for another handset", func(q question) reply {
			return reply{xid: q.xid, mac: unhex("0004f2999999"), options: "350105" + elsewhere}
		}, "an answer for 00:04:f2:99:99:99"},
		{"an ACK to another question", func(question) reply { return reply{xid: []byte{9, 9, 9, 9}, options: "350105" + elsewhere} }, "xid 09090909"},
		{"BOOTP", func(q question) reply { return reply{xid: q.xid, options: elsewhere} }, "without message type"},
		{"a broken message", func(q question) reply { return reply{xid: q.xid, raw: true, options: "350105 78ff00"} }, "option 120 claims 255 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.PoolDiscover, func(b *bench) {
				b.addressed()
				b.dhcp(serverB, func(q question) [][]byte { return [][]byte{test.odd(q).bytes()} })
				b.dhcp(serverA, func(q question) [][]byte {
					time.Sleep(time.Millisecond)
					right := tells(serverA, both)(q)[0]
					return [][]byte{right, right} // twice, as dhcrelay delivers it (peers/README.md §1)
				})
				got := b.h.openInform().inform(b.Context())
				synctest.Wait()
				if got.pool != "lyncpool.contoso.com" || got.url != certURL {
					b.Errorf("registrar %q, URL %q\n%s", got.pool, got.url, b.log())
				}
				b.want(timeline.Dropped, "dhcp", serverB, test.dropped)
				b.want(timeline.Dropped, "dhcp", "too late: ACK of DHCP server 10.0.0.1 once more")
			})
		})
	}
}

// TestInformWithoutServerIdentifier: whether the registrar's responder sends option 54 is not known (discovery.md §3.1),
// so an ACK without it counts, and goes by the address that it comes from.
func TestInformWithoutServerIdentifier(t *testing.T) {
	onBench(t, devicestate.PoolDiscover, func(b *bench) {
		b.addressed()
		b.dhcp(serverA, func(q question) [][]byte {
			right := reply{xid: q.xid, options: "350105" + option(120, option120)}.bytes()
			return [][]byte{right, right}
		})
		b.dhcp(serverB, func(q question) [][]byte {
			time.Sleep(time.Second)
			return [][]byte{reply{xid: q.xid, options: "350105" + option(120, "00"+pool2)}.bytes()}
		})
		if got := b.h.openInform().inform(b.Context()); got.pool != "lyncpool.contoso.com" {
			b.Errorf("%+v", got)
		}
		time.Sleep(lingerFor)
		synctest.Wait()
		b.want(timeline.Dropped, "dhcp", "ACK of DHCP server 10.0.0.1 once more")
		b.want(timeline.Dropped, "dhcp", "ACK of DHCP server 10.0.0.2", "10.0.0.1 came first")
	})
}

// TestFloodOfAnswers: answers without end are read to the end of the time, and recorded late ones are bounded.
func TestFloodOfAnswers(t *testing.T) {
	onBench(t, devicestate.PoolDiscover, func(b *bench) {
		b.addressed()
		b.dhcp(serverA, func(q question) [][]byte {
			right := tells(serverA, option(120, option120))(q)[0]
			many := make([][]byte, 200)
			for i := range many {
				many[i] = right
			}
			return many
		})
		if got := b.h.openInform().inform(b.Context()); got.pool != "lyncpool.contoso.com" {
			b.Errorf("%+v", got)
		}
		time.Sleep(lingerFor)
		synctest.Wait()
		if n := b.count(timeline.Dropped, "dhcp", "too late"); n != maxLate {
			b.Errorf("%d late answers on the timeline, want %d", n, maxLate)
		}
	})
}
