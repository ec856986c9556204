package registrar_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ends waits until the front end closes the connection and tells how long that took.
func (s *sipe) ends(within time.Duration) (time.Duration, bool) {
	began := time.Now()
	select {
	case <-s.conn.Done():
		return time.Since(began).Round(time.Second), true
	case <-time.After(within):
		return 0, false
	}
}

// TestConnectionTimers are those of sip.md §5.4: 90 s to authenticate, 600 s without a byte.
func TestConnectionTimers(t *testing.T) {
	t.Run("nobody authenticates", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := l.connect(user1, sipeEPID)
			for range 8 { // neither challenges nor keep-alives are authentication
				time.Sleep(10 * time.Second)
				s.call(s.register())
				s.must(s.conn.KeepAlive())
			}
			if after, ended := s.ends(time.Hour); !ended || after != 10*time.Second {
				t.Errorf("ended %v after %v, want 10 s\n%s", ended, after, l.log())
			}
		})
	})
	t.Run("idle", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := signedOn(l)
			time.Sleep(100 * time.Second)
			s.must(s.conn.KeepAlive())
			if after, ended := s.ends(time.Hour); !ended || after != 600*time.Second {
				t.Errorf("ended %v after %v, want 600 s\n%s", ended, after, l.log())
			}
			if !strings.Contains(l.log(), "connection closed: idle for 10m0s") {
				t.Errorf("the timeline does not tell\n%s", l.log())
			}
		})
	})
	t.Run("keep-alives", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := signedOn(l)
			s.idle(2 * time.Hour)
			select {
			case <-s.conn.Done():
				t.Errorf("ended\n%s", l.log())
			default:
			}
			if strings.Contains(l.log(), "dropped") {
				t.Errorf("a keep-alive is no message\n%s", l.log())
			}
		})
	})
	t.Run("no TLS handshake", func(t *testing.T) {
		virtual(t, func(l *lab) {
			conn, err := l.station("mute", netip.MustParsePrefix("192.0.2.99/24")).DialTCP(l.soon(), netip.AddrPortFrom(serverAddress.Addr(), 5061))
			l.must(err)
			defer conn.Close()
			began := time.Now()
			conn.Read(make([]byte, 1)) // what matters is when it ends
			if took := time.Since(began).Round(time.Second); took != 20*time.Second {
				t.Errorf("ended after %v, want 20 s\n%s", took, l.log())
			}
		})
	})
}

// TestKeepAliveAnywhere sends empty lines before, between and after messages.
func TestKeepAliveAnywhere(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.connect(user1, sipeEPID)
		for _, blank := range []string{"\r\n", "\r\n\r\n", "\r\n\r\n\r\n\r\n"} {
			_, err := s.raw.Write([]byte(blank))
			s.must(err)
			synctest.Wait()
			s.call(s.register())
		}
		s.mustSignOn()
	})
}
