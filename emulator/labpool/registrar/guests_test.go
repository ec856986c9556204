package registrar_test

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
)

func overTCPToo(l *lab) { l.cfg.TCPPort = registrar.DefaultTCPPort }

// open opens a TCP connection of a station to a port of the front end.
func (l *lab) open(from ethernet.Station, port uint16) net.Conn {
	l.Helper()
	conn, err := from.DialTCP(l.soon(), netip.AddrPortFrom(serverAddress.Addr(), port))
	l.must(err)
	l.Cleanup(func() { conn.Close() })
	return conn
}

// closed reports whether the front end has closed the connection.
func closed(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(time.Millisecond)) // of virtual time
	_, err := conn.Read(make([]byte, 1))
	return err == io.EOF
}

func (l *lab) held() registrar.Held {
	l.Helper()
	held, err := l.server.Held(l.soon())
	l.must(err)
	return held
}

// TestSilentStrangersMakeRoom: one stranger too many takes the place of the one that has been silent for the longest,
// never that of a handset that has authenticated.
func TestSilentStrangersMakeRoom(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		hostile := l.station("hostile", netip.MustParsePrefix("192.0.2.99/24"))
		talkative := l.open(hostile, registrar.DefaultTCPPort)
		var silent []net.Conn
		for i := range registrar.MaxStrangers - 1 {
			silent = append(silent, l.open(hostile, []uint16{registrar.DefaultPort, registrar.DefaultTCPPort}[i%2]))
			synctest.Wait() // both ports accept by themselves
		}
		if _, err := io.WriteString(talkative, "\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if held := l.held(); held.Connections != registrar.MaxStrangers+1 {
			t.Errorf("%d connections, want one more than strangers are allowed", held.Connections)
		}
		other := l.signOnAs(user2, "0123456789") // a stranger at first
		if first, second, spoke := closed(silent[0]), closed(silent[1]), closed(talkative); !first || second || spoke {
			t.Errorf("closed: the first %v, the second %v, the one that spoke %v; want the first alone", first, second, spoke)
		}
		if !strings.Contains(l.log(), "connection closed: there are more than 1024 that nobody has authenticated on") {
			t.Error("the timeline does not tell")
		}
		for _, one := range []*sipe{s, other} {
			if answer := one.refresh(); answer.Status != 200 {
				t.Errorf("%d %s", answer.Status, answer.Reason)
			}
		}
		began := time.Now()
		for _, conn := range silent {
			conn.SetReadDeadline(time.Time{})
			io.ReadAll(conn)
		}
		synctest.Wait()
		if took, held := time.Since(began), l.held(); took > 90*time.Second || held.Connections != 2 {
			t.Errorf("after %v there are %d connections, want those of the handsets", took, held.Connections)
		}
	}, overTCPToo)
}

// TestConnectionsOfOneUser are bounded too; others do not lose theirs.
func TestConnectionsOfOneUser(t *testing.T) {
	virtual(t, func(l *lab) {
		other := l.signOnAs(user2, "0123456789")
		first := signedOn(l)
		for range registrar.MaxOfUser {
			l.signOnAs(user1, sipeEPID)
		}
		if _, ended := first.ends(time.Millisecond); !ended {
			t.Error("the first connection is there yet")
		}
		if answer := other.refresh(); answer.Status != 200 {
			t.Errorf("%d %s", answer.Status, answer.Reason)
		}
		if held := l.held(); held.Connections != registrar.MaxOfUser+1 || held.Associations != registrar.MaxOfUser+1 {
			t.Errorf("%+v", held)
		}
	})
}

// TestMessageWithoutAnEnd ends the connection of a handset that has authenticated; bytes that come now and then do not
// save it.
func TestMessageWithoutAnEnd(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		began := time.Now()
		for ended := false; !ended; _, ended = s.ends(time.Second) {
			io.WriteString(s.raw, "x") // fails once it is over
		}
		if took := time.Since(began); took < registrar.MessageTime || took > 2*registrar.MessageTime+time.Second {
			t.Errorf("ended after %v", took)
		}
		if !strings.Contains(l.log(), "connection closed: a message is not whole after 1m0s") {
			t.Errorf("the timeline does not tell\n%s", l.log())
		}
	})
}

// TestAssociationsAreDroppedAtOnce, whatever half-open connections there are.
func TestAssociationsAreDroppedAtOnce(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		l.open(l.station("hostile", netip.MustParsePrefix("192.0.2.99/24")), registrar.DefaultPort)
		synctest.Wait()
		began := time.Now()
		l.must(l.server.DropAssociations(l.soon()))
		if took := time.Since(began); took > 0 {
			t.Errorf("took %v", took)
		}
		if held := l.held(); held.Associations != 0 || held.Connections != 2 {
			t.Errorf("%+v", held)
		}
		if answer := s.refresh(); answer.Status != 401 {
			t.Errorf("%d %s", answer.Status, answer.Reason)
		}
	})
}
