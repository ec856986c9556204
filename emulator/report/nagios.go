package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
)

// MonitorState is a state of the monitoring plugins' convention, which is their exit code as well.
type MonitorState int

// The states.
const (
	MonitorOK       MonitorState = 0
	MonitorWarning  MonitorState = 1 // signed in, slower than wanted
	MonitorCritical MonitorState = 2 // somebody could not sign in
	MonitorUnknown  MonitorState = 3 // wrong usage, or this computer lacks something
)

// String returns the word of the convention.
func (s MonitorState) String() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s]
}

func monitorState(cases []*Case, warn time.Duration) MonitorState {
	t := tally(cases)
	unknown := 0
	for _, c := range cases {
		if notThePools(c.Result) {
			unknown++
		}
	}
	switch {
	case t.Failed > unknown:
		return MonitorCritical
	case t.NotRun+unknown > 0 || t.Cases == 0:
		return MonitorUnknown
	case warn > 0 && t.Slowest > warn:
		return MonitorWarning
	}
	return MonitorOK
}

// notThePools reports whether a result says nothing of the pool: the boot was interrupted, or its flash could not be kept.
func notThePools(r Result) bool {
	return r.Code == string(devicestate.CodeInterrupted) || r.Code == string(devicestate.CodeNotSaved)
}

// WriteNagios writes the one line of a monitoring plugin: state, what came of it, performance data with the time of each
// stage in seconds. Of several boots it tells how many failed and how long the slowest took.
func WriteNagios(w io.Writer, cases []*Case, warn time.Duration) error {
	t := tally(cases)
	state := monitorState(cases, warn)
	text, data := "", []string{perfTime("time", t.Slowest, warn)}
	if len(cases) == 1 {
		r := cases[0].Result
		text = r.inShort()
		data[0] = perfTime("time", time.Duration(r.Latency), warn)
		for _, s := range r.StageTimes() {
			data = append(data, perfTime(string(s.Stage), s.Time, 0))
		}
	} else {
		var failed []string
		for _, c := range cases {
			if c.Result.Result == Failure {
				failed = append(failed, c.Name+" "+c.Result.Code)
			}
		}
		text = fmt.Sprintf("%d of %d signed in", t.Succeeded, t.Cases)
		if len(failed) > 0 {
			text += "; failed: " + strings.Join(failed, ", ")
		}
		data = append(data, fmt.Sprintf("boots=%d;;;0", t.Cases), fmt.Sprintf("failed=%d;;;0", t.Failed))
	}
	if state == MonitorWarning {
		text += fmt.Sprintf(", slower than %v", warn)
	}
	return writePlugin(w, state, text, strings.Join(data, " "))
}

// WriteUnknown writes the line of a plugin that could not find out.
func WriteUnknown(w io.Writer, err error) error {
	return writePlugin(w, MonitorUnknown, err.Error(), "")
}

// writePlugin writes the line; a bar in the text would end it.
func writePlugin(w io.Writer, state MonitorState, text, data string) error {
	line := fmt.Sprintf("LPE %v - %s", state, strings.ReplaceAll(oneLine(text), "|", "/"))
	if data != "" {
		line += " | " + data
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// perfTime is label=value;warn;crit;min of a time.
func perfTime(label string, d, warn time.Duration) string {
	limit := ""
	if warn > 0 {
		limit = fmt.Sprintf("%.3f", warn.Seconds())
	}
	return fmt.Sprintf("%s=%.3fs;%s;;0", label, d.Seconds(), limit)
}
