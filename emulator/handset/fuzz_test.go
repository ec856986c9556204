package handset

import (
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// FuzzReadLease: a lease that is taken has an address, a mask and servers that hosts can have, and no more servers than
// are used.
func FuzzReadLease(f *testing.F) {
	f.Add(reply{yiaddr: offered, options: terms(ack, serverA, nil)}.bytes())
	f.Add(reply{yiaddr: offered, options: terms(ack, serverA, map[int]string{3: "c0a80001 0a000001", 15: "612e62", 42: "0a000001", 43: "0a0200c8"})}.bytes())
	f.Add(reply{yiaddr: offered, options: "340103", file: terms(ack, serverA, map[int]string{6: ""}) + "ff", sname: "ff"}.bytes())
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := dhcpoption.Parse(payload)
		if err != nil {
			return
		}
		l, _, err := readLease(m)
		if err != nil {
			return
		}
		for _, list := range [][]netip.Addr{{l.address.Addr(), l.server}, l.dns, l.ntp} {
			for _, a := range list {
				if !isHost(a) || len(list) > maxServers {
					t.Errorf("%v of %d in %+v", a, len(list), l)
				}
			}
		}
		if bits := l.address.Bits(); bits < 1 || bits > 32 || bits < 31 && l.address.Masked().Addr() == l.address.Addr() {
			t.Errorf("address %v", l.address)
		}
		if l.router.IsValid() && !l.address.Contains(l.router) {
			t.Errorf("router %v outside of %v", l.router, l.address)
		}
		if l.domain != "" && !dhcpoption.IsHostName(l.domain) {
			t.Errorf("domain %q", l.domain)
		}
	})
}

// FuzzDNSAnswer: records that are taken have the kind that was asked for, and none is taken twice.
func FuzzDNSAnswer(f *testing.F) {
	q, err := newDNSQuery(0x1234, netip.MustParseAddr(serverA), "sip.contoso.com", dnsmessage.TypeA)
	if err != nil {
		f.Fatal(err)
	}
	q.id, q.packed[0], q.packed[1] = 0, 0, 0
	question := asked{query: q.packed}
	x := labels("x.contoso.com")
	f.Add(question.says(noError, one, record("c00c", typeA, right)))
	f.Add(question.says(noError, answers(2), record("c00c", typeCNAME, x), record(x, typeA, right)))
	f.Add(question.says(noError, answers(2), record("c00c", typeCNAME, x), record(x, typeCNAME, "c00c")))
	f.Add(question.says(noError|3, none))
	f.Fuzz(func(t *testing.T, b []byte) {
		code, all, err := q.read(b)
		if err != nil || code != dnsmessage.RCodeSuccess {
			return
		}
		records, alias, others, err := q.follow(all)
		if err != nil {
			return
		}
		if len(records)+others > len(all) || others < 0 || len(records) > 0 && alias != "" {
			t.Errorf("%d records, alias %q and %d others of %d", len(records), alias, others, len(all))
		}
		for _, r := range records {
			if _, ok := r.Body.(*dnsmessage.AResource); !ok || r.Header.Class != dnsmessage.ClassINET {
				t.Errorf("record %+v", r)
			}
		}
	})
}
