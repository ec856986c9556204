package trace_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/emulator/trace"
)

func TestJSONLines(t *testing.T) {
	var out strings.Builder
	j := trace.NewJSONLines(&out)
	tl := timeline.New("handset")
	tl.Observe(j.Observe)
	at := time.Date(2013, 6, 1, 12, 0, 0, 0, time.UTC)
	tl.Add(timeline.Observation{At: at, Kind: timeline.Transition, State: devicestate.LinkDetect, Text: "cable"})
	tl.Add(timeline.Observation{
		At: at, Kind: timeline.Sent, Protocol: "sip", Peer: "10.0.0.2:5061", Text: "REGISTER <sip:a@b>",
		Fields: []timeline.Field{{Name: "cseq", Value: "1"}},
	})
	j.Result("handset", map[string]string{"code": "x.y"})
	const want = `{"schema":"lpe.timeline/1","seq":1,"at":"2013-06-01T12:00:00Z","party":"handset","kind":"transition","state":"LinkDetect","text":"cable"}
{"schema":"lpe.timeline/1","seq":2,"at":"2013-06-01T12:00:00Z","party":"handset","kind":"sent","protocol":"sip","peer":"10.0.0.2:5061","text":"REGISTER <sip:a@b>","fields":[{"name":"cseq","value":"1"}]}
{"schema":"lpe.timeline/1","party":"handset","kind":"result","result":{"code":"x.y"}}
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
	if err := j.Err(); err != nil {
		t.Error(err)
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestJSONLinesKeepsTheFirstError(t *testing.T) {
	full := errors.New("disk full")
	j := trace.NewJSONLines(broken{full})
	j.Observe(timeline.Observation{Seq: 7, Party: "handset"})
	j.Observe(timeline.Observation{Seq: 8, Party: "handset"})
	if err := j.Err(); !errors.Is(err, full) || !strings.Contains(err.Error(), "observation 7 of handset") {
		t.Errorf("got %v", err)
	}
}
