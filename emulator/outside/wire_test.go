//go:build peers

package outside

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWire holds the namespaces of the other tests to their contract: they reach each other and nothing else, and what
// was made is gone afterwards.
func TestWire(t *testing.T) {
	var names []string
	t.Run("wire", func(t *testing.T) {
		client, server := newWire(t)
		names = []string{client.name, server.name}
		client.ip("address", "add", "10.77.0.2/24", "dev", "eth0")

		var listener net.PacketConn
		server.do(func() {
			var err error
			if listener, err = net.ListenPacket("udp4", "10.77.0.1:67"); err != nil {
				t.Fatal(err)
			}
		})
		defer listener.Close()
		client.do(func() {
			conn, err := net.Dial("udp4", "10.77.0.1:67")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte("frame")); err != nil {
				t.Fatal(err)
			}
		})
		if err := listener.SetReadDeadline(time.Now().Add(readyWithin)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 16)
		n, from, err := listener.ReadFrom(b)
		if err != nil || string(b[:n]) != "frame" || !strings.HasPrefix(from.String(), "10.77.0.2:") {
			t.Errorf("%q from %v, %v", b[:n], from, err)
		}
		for _, interfaces := range []string{client.run("ls", "/sys/class/net"), server.run("ls", "/sys/class/net")} {
			if got := strings.Join(strings.Fields(interfaces), " "); got != "eth0 lo" {
				t.Errorf("interfaces %s", got)
			}
		}

		file := filepath.Join(t.TempDir(), "ready")
		d := client.start("sh", "-c", "echo ready; >"+file+"; exec sleep 600")
		d.says("ready")
		d.until("its file", func() bool {
			_, err := os.Stat(file)
			return err == nil
		})
		d.stop()
		if d.command.ProcessState == nil {
			t.Error("a stopped program has no exit status")
		}
	})
	for _, name := range names {
		if _, err := os.Stat("/run/netns/" + name); !os.IsNotExist(err) {
			t.Errorf("namespace %s is left: %v", name, err)
		}
	}
}
