package trace

import (
	"io"

	"github.com/phone-edition/lpe/emulator/timeline"
)

// JSONLines writes observations, one JSON object a line.
type JSONLines struct{}

// NewJSONLines returns an observer that writes to w; its Observe method goes to [timeline.Timeline.Observe].
func NewJSONLines(w io.Writer) *JSONLines { return &JSONLines{} }

// Observe writes one line.
func (j *JSONLines) Observe(o timeline.Observation) {}

// Err returns the first error of writing.
func (j *JSONLines) Err() error { return nil }
