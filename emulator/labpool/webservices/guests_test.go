package webservices

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tcp opens a connection to port 80 and waits until it is accepted.
func (r *room) tcp() net.Conn {
	r.t.Helper()
	conn, err := r.phone.DialTCP(r.t.Context(), netip.AddrPortFrom(poolAddress.Addr(), portHTTP))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	synctest.Wait()
	return conn
}

// asks sends a request and takes the answer.
func asks(conn net.Conn) error {
	if _, err := io.WriteString(conn, "GET /CertProv/CertProvisioningService.svc/mex HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// TestSilentConnectionsMakeRoom: one too many takes the place of the one that asked nothing for the longest.
func TestSilentConnectionsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t)
		var all []net.Conn
		for range maxConnections {
			all = append(all, r.tcp())
		}
		if err := asks(all[0]); err != nil {
			t.Fatal(err)
		}
		all = append(all, r.tcp())
		for i, conn := range all {
			if err := asks(conn); (err == nil) != (i != 1) {
				t.Fatalf("connection %d of %d: %v", i+1, len(all), err)
			}
		}
		if r.server.Connections() != maxConnections {
			t.Errorf("%d connections", r.server.Connections())
		}
		if told := r.told(); !strings.Contains(told[1].Text, "connection closed: there are more than 2048") {
			t.Errorf("history %v", told[:3])
		}
	})
}

// TestTimesOfAConnection ends connections whose peers take too long.
func TestTimesOfAConnection(t *testing.T) {
	const head = "POST /CertProv/CertProvisioningService.svc/anon HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 1000\r\n"
	for name, c := range map[string]struct {
		first string
		again string // once a second
		ends  time.Duration
	}{
		"nothing":      {ends: headerTimeout},
		"slow headers": {first: head, again: "x", ends: headerTimeout},
		"no body":      {first: head + "\r\n", ends: bodyTimeout},
		"a slow body":  {first: head + "\r\n", again: "x", ends: bodyTimeout},
		"nothing more": {first: "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", ends: idleTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := open(t).tcp()
				began := time.Now()
				var saying sync.WaitGroup
				saying.Go(func() {
					for _, err := io.WriteString(conn, c.first); err == nil && c.again != ""; _, err = io.WriteString(conn, c.again) {
						time.Sleep(time.Second)
					}
				})
				io.Copy(io.Discard, conn)
				if took := time.Since(began); took < c.ends-time.Second || took > c.ends+time.Second {
					t.Errorf("ended after %v, want %v", took, c.ends)
				}
				conn.Close()
				saying.Wait()
			})
		})
	}
}

// TestLargeHeaders: what is within the bound is read; net/http lets 4 KiB more pass before it refuses.
func TestLargeHeaders(t *testing.T) {
	for size, want := range map[int]int{maxHeader - 200: http.StatusOK, maxHeader + 4<<10 + 200: http.StatusRequestHeaderFieldsTooLarge} {
		synctest.Test(t, func(t *testing.T) {
			conn := open(t).tcp()
			go io.WriteString(conn, "GET /CertProv/CertProvisioningService.svc/mex HTTP/1.1\r\nHost: "+host+"\r\nX: "+strings.Repeat("x", size)+"\r\n\r\n")
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || answer.StatusCode != want {
				t.Errorf("%d bytes: %v, %v, want %d", size, answer, err, want)
			}
			conn.Close()
		})
	}
}

// TestAnswersThatNobodyReads end the connection.
func TestAnswersThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := open(t).tcp()
		began := time.Now()
		for err := error(nil); err == nil; {
			_, err = io.WriteString(conn, "GET /CertProv/CertProvisioningService.svc/mex HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		}
		if took := time.Since(began); took > writeTimeout+time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}
