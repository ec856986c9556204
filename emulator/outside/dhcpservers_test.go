//go:build peers

package outside

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// dhcpServers start the DHCP servers from elsewhere on eth0 of a namespace that has serverAddress, by the format of
// `lpe dhcp encode` that is for them. Each leases 10.77.0.100 to 10.77.0.200, and through a relay 10.78.0.100 to
// 10.78.0.200; options is text of its configuration.
var dhcpServers = map[string]func(n *namespace, options string) *daemon{
	"isc": startISC, "kea": startKea, "dnsmasq": startDnsmasq,
}

// startISC leaves the ping out with which dhcpd looks for a second whether an address is in use.
func startISC(n *namespace, options string) *daemon {
	n.t.Helper()
	conf := writeFile(n.t, "dhcpd.conf", options+`
ddns-update-style none;
ping-check off;
default-lease-time 600;
subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.100 10.77.0.200; option routers 10.77.0.1; }
subnet 10.78.0.0 netmask 255.255.255.0 { range 10.78.0.100 10.78.0.200; option routers 10.78.0.254; }
`)
	d := n.start("dhcpd", "-4", "-d", "-f", "--no-pid", "-cf", conf, "-lf", writeFile(n.t, "leases", ""), "eth0")
	d.says("Server starting service.")
	return d
}

func startKea(n *namespace, options string) *daemon {
	n.t.Helper()
	conf := writeFile(n.t, "kea.json", fmt.Sprintf(`{ "Dhcp4": {
"interfaces-config": { "interfaces": [ "eth0" ], "dhcp-socket-type": "raw" },
"lease-database": { "type": "memfile", "persist": false },
"subnet4": [
  { "id": 1, "subnet": "10.77.0.0/24", "pools": [ { "pool": "10.77.0.100 - 10.77.0.200" } ], "option-data": [ { "name": "routers", "data": "10.77.0.1" } ] },
  { "id": 2, "subnet": "10.78.0.0/24", "pools": [ { "pool": "10.78.0.100 - 10.78.0.200" } ], "option-data": [ { "name": "routers", "data": "10.78.0.254" } ] }
],
"loggers": [ { "name": "kea-dhcp4", "severity": "INFO", "output_options": [ { "output": "stdout" } ] } ],
%s
} }`, options))
	c := n.command("kea-dhcp4", "-c", conf)
	c.Env = append(os.Environ(), "KEA_PIDFILE_DIR="+n.t.TempDir(), "KEA_LOCKFILE_DIR="+n.t.TempDir())
	d := n.startCommand(c)
	d.says("DHCP4_STARTED")
	return d
}

// startDnsmasq has it serve DHCP alone.
func startDnsmasq(n *namespace, options string) *daemon {
	n.t.Helper()
	conf := writeFile(n.t, "dnsmasq.conf", options+`
port=0
no-ping
interface=eth0
bind-interfaces
log-dhcp
log-facility=-
dhcp-range=set:direct,10.77.0.100,10.77.0.200,255.255.255.0,600
dhcp-range=set:relayed,10.78.0.100,10.78.0.200,255.255.255.0,600
dhcp-option=tag:direct,option:router,10.77.0.1
dhcp-option=tag:relayed,option:router,10.78.0.254
`)
	dir := n.t.TempDir()
	d := n.start("dnsmasq", "--keep-in-foreground", "--user=root", "--conf-file="+conf,
		"--dhcp-leasefile="+filepath.Join(dir, "leases"), "--pid-file="+filepath.Join(dir, "pid"))
	d.says("sockets bound exclusively to interface eth0")
	return d
}

// writeFile makes a file that ends with the test and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
