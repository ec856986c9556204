//go:build peers

package outside

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestTimeAndNames lets the handset find its clock and its registrar: chrony tells the time, and unbound or dnsmasq where
// chrony and the registrar are. DHCP names neither of them.
func TestTimeAndNames(t *testing.T) {
	t.Parallel()
	for names, start := range nameServers {
		for _, source := range []string{"option42", "srv", "fallback"} {
			t.Run(names+"/"+source, func(t *testing.T) {
				t.Parallel()
				client, server := newWire(t)
				options := contoso.network("isc")
				r := contoso.names()
				switch source {
				case "option42":
					options += "option ntp-servers 10.77.0.1;\n"
					delete(r.services, "_ntp._udp")
				case "fallback":
					r.hosts = append(r.hosts, "time.windows.com")
					delete(r.services, "_ntp._udp")
				}
				r.hosts = append(r.hosts[:1], r.hosts[2:]...) // nothing answers updates
				startISC(server, options)
				start(server, r)
				startChrony(server)

				p := newBridged(t, client).quick()
				p.Capture = filepath.Join(t.TempDir(), "names.pcapng")
				p.Profile.InformTimeouts = []time.Duration{time.Second}
				out := p.reach(devicestate.RootChain)
				if !out.Reported || out.Failure.Code != "discovery.no-certprov-url" || out.Registrar != verdictPool {
					t.Errorf("%v, registrar %s", out.Failure, out.Registrar)
				}
				if !p.saw(timeline.Received, "ntp", serverIP, "stratum 3") || !p.saw(timeline.Note, "clock set to ", " by "+source) {
					t.Error("the clock is not set")
				}
				if !p.saw(timeline.Note, "registrars to try: [lyncpool.contoso.com:5061 (srv, tls)]") {
					t.Error("the registrar was not found by SRV")
				}
				p.end()
				if bad := faults(t, p.Capture); bad != "" {
					t.Errorf("tshark finds fault with:\n%s", bad)
				}
				added := strings.Fields(tsharkFields(t, p.Capture, "dns.resp.type == 33 && dns.srv.port == 5061", "dns.count.add_rr"))
				want := map[string]string{"dnsmasq": "1", "unbound": "0"}[names]
				if len(added) == 0 || added[0] != want {
					t.Errorf("additional records %v, want %s", added, want)
				}
			})
		}
	}
}
