package timeserver

import (
	"testing"
	"time"

	"github.com/phone-edition/lpe/protocol/ntp"
)

// FuzzAnswer: what is answered is a query of a client, and the answer is one of a server that repeats the time of the
// question.
func FuzzAnswer(f *testing.F) {
	now := time.Date(2013, 5, 6, 7, 8, 9, 0, time.UTC)
	for _, version := range []byte{1, 3, 4} {
		query := make([]byte, 48)
		query[0] = version<<3 | ntp.ModeClient
		copy(query[40:], "\xd5\x32\x10\x00\x80\x00\x00\x00")
		f.Add(query)
		f.Add(append(query, make([]byte, 20)...))
	}
	s := &Server{cfg: Config{Clock: func() time.Time { return now }}}
	f.Fuzz(func(t *testing.T, query []byte) {
		reply, ok := s.answer(query, now, "peer")
		if !ok {
			return
		}
		asked, err := ntp.Parse(query)
		if err != nil || asked.Mode != ntp.ModeClient || asked.Version < 3 {
			t.Fatalf("an answer to %+v, %v", asked, err)
		}
		got, err := ntp.Parse(reply)
		if err != nil || got.Mode != ntp.ModeServer || got.Version != asked.Version || got.Origin != asked.Transmit || got.Stratum != stratum {
			t.Errorf("answer %+v, %v to %+v", got, err, asked)
		}
	})
}
