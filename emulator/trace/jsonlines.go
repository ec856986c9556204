package trace

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/phone-edition/lpe/emulator/timeline"
)

// Schema is the version of a line of [JSONLines]; docs/jsonl.md describes it. Members may be added to it.
const Schema = "lpe.timeline/1"

// KindResult is the kind of the line that holds a party's result. It has no number.
const KindResult timeline.Kind = "result"

// line is one line: an observation, or a result.
type line struct {
	Schema string `json:"schema"`
	timeline.Observation
}

type resultLine struct {
	Schema string        `json:"schema"`
	Party  string        `json:"party"`
	Kind   timeline.Kind `json:"kind"`
	Result any           `json:"result"`
}

// JSONLines writes observations, one JSON object a line.
type JSONLines struct {
	mu      sync.Mutex
	encoder *json.Encoder
	err     error
}

// NewJSONLines returns an observer that writes to w. Its Observe method goes to [timeline.Timeline.Observe], of several
// timelines if wanted.
func NewJSONLines(w io.Writer) *JSONLines {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return &JSONLines{encoder: encoder}
}

// Observe writes one line. After an error it writes nothing any more.
func (j *JSONLines) Observe(o timeline.Observation) {
	o.At = o.At.UTC()
	j.write(line{Schema, o}, fmt.Sprintf("observation %d of %s", o.Seq, o.Party))
}

// Result writes what came of it all for a party.
func (j *JSONLines) Result(party string, result any) {
	j.write(resultLine{Schema, party, KindResult, result}, "result of "+party)
}

func (j *JSONLines) write(value any, what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return
	}
	if err := j.encoder.Encode(value); err != nil {
		j.err = fmt.Errorf("%s: %w", what, err)
	}
}

// Err returns the first error of writing.
func (j *JSONLines) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}
