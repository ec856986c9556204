package timeserver

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	beevik "github.com/beevik/ntp"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/ntp"
)

// pipe is a Station with a UDP socket whose other end is a net.Conn.
type pipe struct {
	ethernet.Station
	net.PacketConn
	conn net.Conn
}

func (p pipe) ListenUDP(uint16) (net.PacketConn, error) { return p, nil }
func (p pipe) Close() error                             { return p.conn.Close() }

func (p pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.conn.Read(b)
	if err != nil {
		err = net.ErrClosed
	}
	return n, p.conn.RemoteAddr(), err
}

func (p pipe) WriteTo(b []byte, _ net.Addr) (int, error) { return p.conn.Write(b) }

// query asks with the library that the handset uses, over a pipe in virtual time.
func query(t *testing.T, cfg Config) (answer *beevik.Response, seen []string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		cfg.Station = pipe{conn: far}
		cfg.Timeline = timeline.New("pool")
		cfg.Timeline.Observe(func(o timeline.Observation) { seen = append(seen, string(o.Kind)+" "+o.Text) })
		s, startErr := Start(cfg)
		if startErr != nil {
			t.Fatal(startErr)
		}
		answer, err = beevik.QueryWithOptions("lab", beevik.QueryOptions{
			Timeout: 4 * time.Second,
			Dialer:  func(string, string) (net.Conn, error) { return near, nil },
		})
		if closeErr := s.Close(); closeErr != nil {
			t.Error(closeErr)
		}
	})
	return answer, seen, err
}

func TestAnswer(t *testing.T) {
	for _, test := range []struct {
		name, fault string
		offset      time.Duration
		year        int
	}{
		{"right", "", 0, 2000},
		{"offset", "", 24 * 365 * 3 * time.Hour, 2002},
		{"wrong", "time=wrong", 0, 2001},
		{"wrong from later", "time=wrong", 0, 2001},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := Config{Offset: test.offset}
			if test.fault != "" {
				cfg.Faults = faults.NewSet(faults.Fault{Name: test.fault})
			}
			if test.name == "wrong from later" {
				cfg.Clock = func() time.Time { return time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC) }
			}
			answer, seen, err := query(t, cfg)
			if err != nil {
				t.Fatal(err, seen)
			}
			if err := answer.Validate(); err != nil {
				t.Error(err)
			}
			if answer.Stratum != stratum || answer.Time.Year() != test.year {
				t.Errorf("stratum %d, time %s, want year %d", answer.Stratum, answer.Time, test.year)
			}
			if len(seen) < 2 || !strings.Contains(strings.Join(seen, "\n"), test.fault) {
				t.Errorf("timeline %q", seen)
			}
		})
	}
}

func TestSilence(t *testing.T) {
	_, seen, err := query(t, Config{Faults: faults.NewSet(faults.Fault{Name: "time=silent"})})
	if err == nil || !strings.Contains(strings.Join(seen, "\n"), "dropped fault time=silent") {
		t.Errorf("error %v, timeline %q", err, seen)
	}
}

func TestDropped(t *testing.T) {
	var seen []timeline.Observation
	line := timeline.New("pool")
	line.Observe(func(o timeline.Observation) { seen = append(seen, o) })
	s := &Server{cfg: Config{Timeline: line, Clock: time.Now}}
	for _, test := range []struct {
		p    ntp.Packet
		want string
	}{
		{ntp.Packet{Version: 4, Mode: ntp.ModeServer}, "version 4 mode 4"},
		{ntp.Packet{Version: 4, Mode: ntp.ModeSymmetricActive}, "version 4 mode 1"},
		{ntp.Packet{Version: 2, Mode: ntp.ModeClient}, "version 2 mode 3"},
	} {
		b, err := test.p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if reply, ok := s.answer(b, time.Now(), "handset"); ok || !strings.Contains(seen[len(seen)-1].Text, test.want) {
			t.Errorf("answer %x, timeline %+v, want %q", reply, seen[len(seen)-1], test.want)
		}
	}
	if _, ok := s.answer([]byte{0x23}, time.Now(), "handset"); ok || !strings.Contains(seen[len(seen)-1].Text, "packet of 1 bytes") {
		t.Errorf("timeline %+v", seen[len(seen)-1])
	}
	for _, o := range seen {
		if o.Kind != timeline.Dropped {
			t.Errorf("observation %+v, a drop expected", o)
		}
	}
}
