package trace

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/phone-edition/lpe/emulator/timeline"
)

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
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return
	}
	if err := j.encoder.Encode(o); err != nil {
		j.err = fmt.Errorf("observation %d of %s: %w", o.Seq, o.Party, err)
	}
}

// Err returns the first error of writing.
func (j *JSONLines) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}
