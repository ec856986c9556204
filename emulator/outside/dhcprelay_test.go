//go:build peers

package outside

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// hub is a segment of several hosts: a bridge of the kernel.
type hub struct{ *namespace }

func newHub(t *testing.T) hub {
	t.Helper()
	h := hub{newNamespace(t, "hub")}
	h.ip("link", "add", "hub", "type", "bridge")
	h.ip("link", "set", "hub", "up")
	return h
}

// plug joins the host's interface to the segment.
func (h hub) plug(host *namespace, name string) {
	h.t.Helper()
	port := strings.TrimPrefix(host.name, "lpe-") // unique, and short enough for an interface
	port = port[:strings.LastIndexByte(port, '-')]
	h.connect(port, host, name)
	h.ip("link", "set", port, "master", "hub")
}

// newRelayed gives a client on 10.78.0.0/24, a server with serverAddress, and relays between them, which route as well.
func newRelayed(t *testing.T, relays int) (client, server *namespace) {
	t.Helper()
	client, server = newNamespace(t, "client"), newNamespace(t, "server")
	near, far := newHub(t), newHub(t)
	near.plug(client, "eth0")
	far.plug(server, "eth0")
	server.ip("address", "add", serverAddress, "dev", "eth0")
	server.ip("route", "add", "10.78.0.0/24", "via", "10.77.0.254")
	for n := range relays {
		relay := newNamespace(t, "relay")
		near.plug(relay, "near")
		far.plug(relay, "far")
		relay.ip("address", "add", fmt.Sprintf("10.78.0.%d/24", 254-n), "dev", "near")
		relay.ip("address", "add", fmt.Sprintf("10.77.0.%d/24", 254-n), "dev", "far")
		relay.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
		relay.start("dhcrelay", "-4", "-d", "--no-pid", "-iu", "far", "-id", "near", serverIP).says("Sending on   Socket/fallback")
	}
	return client, server
}

// TestRelayed boots behind a DHCP relay until registrar and URL are known. dnsmasq answers a relayed INFORM through the
// relay, which sends it to the handset's MAC address and to 0.0.0.0, the address that it gave; the others answer the
// handset's address.
func TestRelayed(t *testing.T) {
	t.Parallel()
	for server := range dhcpServers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			client, far := newRelayed(t, 1)
			dhcpServers[server](far, contoso.dhcp(t, server, nil))
			startNames(far, records{domain: "contoso.com", hosts: []string{verdictPool}})
			p := newBridged(t, client).quick()
			p.Capture = filepath.Join(t.TempDir(), "relayed.pcapng")
			wantVoice(t, p.reach(devicestate.RootChain))
			if !p.saw(timeline.Note, "address 10.78.0.") {
				t.Error("no address of the relay's subnet")
			}
			p.end()
			to := strings.Fields(tsharkFields(t, p.Capture, "dhcp.option.dhcp == 5 && dhcp.option.sip_server.name", "ip.dst"))
			if len(to) != 1 || (to[0] == "0.0.0.0") != (server == "dnsmasq") {
				t.Errorf("the INFORM is answered to %v", to)
			}
		})
	}
}

// TestTwoRelays has each question reach the server twice, so that its answers come twice, with the same xid: they are
// recorded and change nothing.
func TestTwoRelays(t *testing.T) {
	t.Parallel()
	client, server := newRelayed(t, 2)
	startISC(server, contoso.dhcp(t, "isc", nil))
	startNames(server, records{domain: "contoso.com", hosts: []string{verdictPool}})
	p := newBridged(t, client).quick()
	wantVoice(t, p.reach(devicestate.RootChain))
	p.until("the second ACK", func() bool {
		return p.saw(timeline.Dropped, "too late: ACK of DHCP server 10.77.0.1 once more, with registrar "+verdictPool)
	})
}

// TestTwoServers: whoever answers first with a registrar is taken, whole; what the other says is recorded.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	client, first, second, segment := newNamespace(t, "client"), newNamespace(t, "server"), newNamespace(t, "server"), newHub(t)
	for n, host := range []*namespace{client, first, second} {
		segment.plug(host, "eth0")
		if n > 0 {
			host.ip("address", "add", fmt.Sprintf("10.77.0.%d/24", n), "dev", "eth0")
		}
	}
	startISC(first, contoso.dhcp(t, "isc", nil))
	startKea(second, contoso.dhcp(t, "kea", nil, verdictPool, "lyncother.contoso.com"))
	startNames(first, records{domain: "contoso.com", hosts: []string{verdictPool, "lyncother.contoso.com"}})
	p := newBridged(t, client).quick()
	out := p.reach(devicestate.RootChain)
	other := "lyncother.contoso.com"
	if out.Registrar == other {
		other = verdictPool
	}
	want := strings.Replace(verdictURL, verdictPool, out.Registrar, 1)
	if out.Reported || out.CertificateURL != want {
		t.Errorf("%v, registrar %s, URL %s", out.Failure, out.Registrar, out.CertificateURL)
	}
	p.until("the other's ACK", func() bool {
		return p.saw(timeline.Dropped, "too late: ACK of DHCP server", "with registrar "+other+": a second server")
	})
}
