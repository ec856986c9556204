package handset

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
)

// TestRegistrarNames: the handset asks for the names of the discovery order that holds, and for each that is not there
// again with the DNS suffix (discovery.md §1.5). Every question is answered with the row's code.
func TestRegistrarNames(t *testing.T) {
	cold := []string{"_sipinternaltls._tcp", "_sip._tls", "_sipinternal._tcp", "sipinternal", "sip", "sipexternal"}
	known := []string{"_sipinternaltls._tcp", "_sipinternal._tcp", "_sip._tls", "_sip._tcp"}
	const noName, noData, refused = noError | 3, noError, noError | 5
	for _, test := range []struct {
		name    string
		profile string // "": that of the bench
		user    string
		domain  string // of the lease
		search  []string
		flags   uint16
		ask     []string // first labels of the names
		behind  []string // each is asked for in turn
	}{
		{name: "cold", domain: "contoso.com", flags: noName, ask: cold, behind: []string{"contoso.com"}},
		{name: "cold, no domain", flags: noName},
		{name: "cold, with a search list", domain: "contoso.com", search: []string{"contoso.com", "corp.contoso.com"}, flags: noName, ask: cold, behind: []string{"contoso.com", "contoso.com.corp.contoso.com"}},
		{name: "a user of the lease's domain", user: "sip:kenmyer@contoso.com", domain: "contoso.com", flags: noName, ask: known, behind: []string{"contoso.com"}},
		{name: "a user of another domain", user: "sip:kenmyer@litwareinc.com", domain: "contoso.com", flags: noName, ask: known, behind: []string{"litwareinc.com", "litwareinc.com.contoso.com"}},
		{name: "names without such a record", user: "sip:kenmyer@litwareinc.com", domain: "contoso.com", flags: noData, ask: known, behind: []string{"litwareinc.com", "litwareinc.com.contoso.com"}},
		{
			name: "lease's domain, then the search list", user: "sip:kenmyer@litwareinc.com", domain: "contoso.com", search: []string{"a.example", "contoso.com", "b.example"},
			flags: noName, ask: known, behind: []string{"litwareinc.com", "litwareinc.com.contoso.com", "litwareinc.com.a.example", "litwareinc.com.b.example"},
		},
		{name: "a server that refuses", user: "sip:kenmyer@litwareinc.com", domain: "contoso.com", flags: refused, ask: slices.Concat(known, known), behind: []string{"litwareinc.com"}},
		{name: "a user without a lease's domain", user: "sip:kenmyer@litwareinc.com", flags: noName, ask: known, behind: []string{"litwareinc.com"}},
		{
			name: "OCS 2007 R2, a user of another domain", profile: "polycom-cx700-3.5.6907.187", user: "sip:kenmyer@litwareinc.com", domain: "contoso.com", flags: noName,
			ask: cold, behind: []string{"litwareinc.com", "litwareinc.com.contoso.com"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.PoolDiscover, func(b *bench) {
				if test.profile != "" {
					profile, err := configs.LoadProfile(test.profile)
					if err != nil {
						b.Fatal(err)
					}
					b.h.profile = profile
				}
				b.addressed(serverA)
				b.h.ram.lease.domain, b.h.ram.lease.search, b.h.flash.SIPAddress = test.domain, test.search, test.user
				got := b.registrarNames(test.flags)
				var want []string
				for _, label := range test.ask {
					for _, domain := range test.behind {
						want = append(want, label+"."+domain)
					}
				}
				slices.Sort(want)
				if sorted := slices.Sorted(slices.Values(got)); !slices.Equal(sorted, want) {
					b.Errorf("asked for %q,\nwant %q", sorted, want)
				}
				for _, label := range test.ask {
					last := -1
					for _, domain := range test.behind {
						at := slices.Index(got, label+"."+domain)
						if at < last {
							b.Errorf("%s.%s is asked for too early: %q", label, domain, got)
						}
						last = at
					}
				}
			})
		})
	}
}

// registrarNames asks for the registrar's names at a server that answers each with flags, and returns them in order.
func (b *bench) registrarNames(flags uint16) []string {
	b.Helper()
	var mu sync.Mutex
	var names []string
	b.dns(serverA, func(q asked) [][]byte {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, q.name())
		return [][]byte{q.says(flags, none)}
	})
	for entry, list := range b.h.discoverByDNS(b.Context()) {
		if len(list) > 0 {
			b.Errorf("%s: %v", entry, list)
		}
	}
	synctest.Wait()
	mu.Lock()
	defer mu.Unlock()
	return names
}

// TestRegistrarBehindTheSuffix: what stands behind the DNS suffix is a candidate under its own name, and what stands
// without it is not asked for again.
func TestRegistrarBehindTheSuffix(t *testing.T) {
	onBench(t, devicestate.PoolDiscover, func(b *bench) {
		profile := *b.h.profile
		profile.DiscoveryOrderKnown, profile.StrictNaming = []string{"srv-internal-tls", "srv-external-tls", "a-sip"}, false
		b.h.profile = &profile
		b.addressed(serverA)
		b.h.flash.SIPAddress = "sip:kenmyer@litwareinc.com"
		b.dns(serverA, func(q asked) [][]byte {
			switch q.name() {
			case "_sipinternaltls._tcp.litwareinc.com.contoso.com":
				return [][]byte{q.says(noError, one, record("c00c", typeSRV, "0000 0000 13c5"+labels("inside.contoso.com")))}
			case "_sip._tls.litwareinc.com":
				return [][]byte{q.says(noError, one, record("c00c", typeSRV, "0000 0000 01bb"+labels("edge.litwareinc.com")))}
			case "sip.litwareinc.com.contoso.com":
				return [][]byte{rightAnswer(q)}
			}
			if strings.HasPrefix(q.name(), "_sip._tls.") {
				b.Errorf("asked for %s", q.name())
			}
			return [][]byte{q.says(noError|3, none)}
		})
		names := b.h.discoverByDNS(b.Context())
		synctest.Wait()
		const want = "[inside.contoso.com:5061 (srv, tls) edge.litwareinc.com:443 (srv, tls) sip.litwareinc.com.contoso.com:5061 (a, tls) sip.litwareinc.com.contoso.com:443 (a, tls)]"
		if got := fmt.Sprint(b.h.orderCandidates(found{}, names)); got != want {
			b.Errorf("%s,\nwant %s\n%s", got, want, b.log())
		}
	})
}

// TestSilentServerIsNotAskedBehindTheSuffix: nobody says that a name is not there, so there is no other to ask for.
func TestSilentServerIsNotAskedBehindTheSuffix(t *testing.T) {
	onBench(t, devicestate.PoolDiscover, func(b *bench) {
		b.addressed(serverA)
		b.h.flash.SIPAddress = "sip:kenmyer@litwareinc.com"
		var mu sync.Mutex
		b.dns(serverA, func(q asked) [][]byte {
			mu.Lock()
			defer mu.Unlock()
			if strings.HasSuffix(q.name(), ".contoso.com") {
				b.Errorf("asked for %s", q.name())
			}
			return nil
		})
		began := time.Now()
		b.h.discoverByDNS(b.Context())
		if took, want := time.Since(began), time.Duration(b.h.profile.DNSTries)*b.h.profile.DNSTimeout; took != want {
			b.Errorf("%v, want %v", took, want)
		}
		synctest.Wait()
	})
}

// TestNoRetryWithoutTheFact: a profile without it asks for each name once.
func TestNoRetryWithoutTheFact(t *testing.T) {
	onBench(t, devicestate.PoolDiscover, func(b *bench) {
		profile := *b.h.profile
		profile.SuffixRetry = false
		b.h.profile = &profile
		b.addressed(serverA)
		b.h.flash.SIPAddress = "sip:kenmyer@litwareinc.com"
		if got := b.registrarNames(noError | 3); len(got) != len(profile.DiscoveryOrderKnown)-2 { // two are DHCP's
			b.Errorf("asked for %q", got)
		}
	})
}
