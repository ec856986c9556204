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
	var b strings.Builder
	if r.TargetURI != "" || r.Result == Success {
		writeLine(&b, "TargetUri", r.TargetURI)
	}
	writeLine(&b, "TargetFqdn", r.TargetFQDN)
	if r.TargetAddress != "" {
		writeLine(&b, "Address", r.TargetAddress)
	}
	writeLine(&b, "Result", string(r.Result))
	writeLine(&b, "Latency", r.Latency.String())
	writeLine(&b, "Error", r.Error)
	writeLine(&b, "Diagnosis", r.Diagnosis)
	_, err := io.WriteString(w, b.String())
	return err
}

const labelWidth = 10

func writeLine(b *strings.Builder, label, value string) {
	value = strings.ReplaceAll(strings.TrimSpace(value), "\n", "\n"+strings.Repeat(" ", labelWidth+3))
	b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s : %s", labelWidth, label, value), " ") + "\n")
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
