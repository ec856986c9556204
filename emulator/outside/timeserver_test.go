//go:build peers

package outside

import (
	"net"
	"time"
)

// startChrony has chrony tell the time of this computer as stratum 3. It never sets a clock (-x).
func startChrony(n *namespace) *daemon {
	n.t.Helper()
	dir := n.t.TempDir()
	d := n.start("chronyd", "-d", "-x", "-u", "root", "-f", writeFile(n.t, "chrony.conf", `
local stratum 3
allow
bindaddress `+serverIP+`
cmdport 0
bindcmdaddress /
pidfile `+dir+`/pid
driftfile `+dir+`/drift
`))
	d.until("an answer", func() bool { return tellsTime(n) })
	return d
}

// tellsTime sends an SNTP request (RFC 4330, 5).
func tellsTime(n *namespace) (answered bool) {
	n.t.Helper()
	n.do(func() {
		conn, err := net.Dial("udp4", serverIP+":123")
		if err != nil {
			n.t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			n.t.Fatal(err)
		}
		b := make([]byte, 48)
		b[0] = 4<<3 | 3 // version 4, client
		if _, err := conn.Write(b); err != nil {
			return
		}
		_, err = conn.Read(b)
		answered = err == nil
	})
	return answered
}
