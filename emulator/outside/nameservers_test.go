//go:build peers

package outside

import (
	"fmt"
	"strings"
)

// serverIP is where every server of a wire answers, as in serverAddress.
const serverIP = "10.77.0.1"

// records are a zone's names and its services.
type records struct {
	domain   string
	hosts    []string          // each with its address after a blank, if that is not serverIP
	services map[string]string // SRV name without the domain: target and port
}

// nameServers start DNS servers from elsewhere on serverIP. To a question for SRV dnsmasq adds the address of the
// target, unbound does not.
var nameServers = map[string]func(n *namespace, r records) *daemon{"dnsmasq": startNames, "unbound": startUnbound}

func startNames(n *namespace, r records) *daemon {
	n.t.Helper()
	var conf strings.Builder
	fmt.Fprintf(&conf, "no-resolv\nno-hosts\nno-poll\nbind-interfaces\nlisten-address=%s\nlog-queries\nlog-facility=-\nlocal=/%s/\n", serverIP, r.domain)
	for _, host := range r.hosts {
		name, address := at(host)
		fmt.Fprintf(&conf, "host-record=%s,%s\n", name, address)
	}
	for name, target := range r.services {
		fmt.Fprintf(&conf, "srv-host=%s.%s,%s\n", name, r.domain, strings.Replace(target, " ", ",", 1))
	}
	d := n.start("dnsmasq", "--keep-in-foreground", "--user=root", "--conf-file="+writeFile(n.t, "names.conf", conf.String()), "--pid-file=")
	d.says("started, version")
	return d
}

func startUnbound(n *namespace, r records) *daemon {
	n.t.Helper()
	var conf strings.Builder
	fmt.Fprintf(&conf, `server:
  interface: %s
  access-control: 10.77.0.0/16 allow
  username: ""
  chroot: ""
  directory: "%s"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  verbosity: 1
  log-queries: yes
  module-config: "iterator"
  local-zone: "." refuse
  local-zone: "%s." static
`, serverIP, n.t.TempDir(), r.domain)
	for _, host := range r.hosts {
		name, address := at(host)
		fmt.Fprintf(&conf, "  local-data: \"%s. 3600 IN A %s\"\n", name, address)
	}
	for name, target := range r.services {
		host, port, _ := strings.Cut(target, " ")
		fmt.Fprintf(&conf, "  local-data: \"%s.%s. 3600 IN SRV 0 0 %s %s.\"\n", name, r.domain, port, host)
	}
	d := n.start("unbound", "-d", "-c", writeFile(n.t, "unbound.conf", conf.String()))
	d.says("start of service")
	return d
}

// at splits an entry of records.hosts.
func at(host string) (name, address string) {
	name, address, other := strings.Cut(host, " ")
	if !other {
		address = serverIP
	}
	return name, address
}
