package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteList writes the six labels of the cmdlet, each padded to 10. The TargetUri line is left out of a Failure that
// found no URL. A value of several lines goes on indented under its first line.
func WriteList(w io.Writer, r Result) error {
	r = r.finished()
	return writeLabels(w, []labelled{
		{"TargetUri", r.TargetURI, r.TargetURI == "" && r.Result == Failure},
		{"TargetFqdn", r.TargetFQDN, false},
		{"Address", r.TargetAddress, r.TargetAddress == ""},
		{"Result", string(r.Result), false},
		{"Latency", r.Latency.String(), false},
		{"Error", r.Error, false},
		{"Diagnosis", r.Diagnosis, false},
	})
}

// WriteSpacedList writes the same in the cmdlet's other style: labels of several words, FQDN before URI, each padded to
// 13 (handset.md §7.1).
func WriteSpacedList(w io.Writer, r Result) error {
	r = r.finished()
	return writeLabels(w, []labelled{
		{"Target Fqdn", r.TargetFQDN, false},
		{"Target Uri", r.TargetURI, r.TargetURI == "" && r.Result == Failure},
		{"Address", r.TargetAddress, r.TargetAddress == ""},
		{"Result", string(r.Result), false},
		{"Latency", r.Latency.String(), false},
		{"Error Message", r.Error, false},
		{"Diagnosis", r.Diagnosis, false},
	})
}

// labelled is one line of a list.
type labelled struct {
	label, value string
	left         bool // out
}

// writeLabels pads each label to the longest, whether that is left out or not.
func writeLabels(w io.Writer, lines []labelled) error {
	width := 0
	for _, l := range lines {
		width = max(width, len(l.label))
	}
	var b strings.Builder
	for _, l := range lines {
		if l.left {
			continue
		}
		value := strings.ReplaceAll(strings.TrimSpace(l.value), "\n", "\n"+strings.Repeat(" ", width+3))
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s : %s", width, l.label, value), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes the result as one indented JSON object.
func WriteJSON(w io.Writer, r Result) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r.finished())
}

// finished fills in what every output form has: the schema, empty lists for nil, and where the certificate URL came
// from when it was neither discovered nor remembered.
func (r Result) finished() Result {
	r.Schema = Schema
	if r.Warnings == nil {
		r.Warnings = []Warning{}
	}
	if r.States == nil {
		r.States = []State{}
	}
	if r.Probes == nil {
		r.Probes = []Probe{}
	}
	if note, ok := sourceNotes[r.TargetURISource]; ok && !strings.Contains(r.Diagnosis, note) {
		r.Diagnosis = strings.TrimPrefix(strings.TrimRight(r.Diagnosis, ".")+". "+note, ". ")
	}
	return r
}

var sourceNotes = map[string]string{
	"target":       "TargetUri is the one given.",
	"sts-uri":      "TargetUri is the sts-uri of the registrar's challenge.",
	"default-path": "TargetUri is the default path on TargetFqdn; nobody announced it.",
}
