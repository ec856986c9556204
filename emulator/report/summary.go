package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// SummarySchema is the version of the JSON form of a summary.
const SummarySchema = "lpe.boots/1"

type jsonSummary struct {
	Schema    string     `json:"schema"`
	Users     int        `json:"users"`
	Succeeded int        `json:"succeeded"`
	Failed    int        `json:"failed"`
	NotRun    int        `json:"notRun"` // the command was interrupted before
	Boots     []jsonBoot `json:"boots"`
}

type jsonBoot struct {
	Name   string  `json:"name"`
	Result *Result `json:"result"` // null: not run
}

// writeLists writes one list after the other, or a table with a line a user.
func (o *Outputs) writeLists(w io.Writer) error {
	if !o.Many {
		var errs []error
		for _, c := range o.cases {
			errs = append(errs, o.writeList(w, c.Result))
		}
		return errors.Join(errs...)
	}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, c := range o.cases {
		r := c.Result
		switch r.Result {
		case Success:
			fmt.Fprintf(table, "%s\t%s\t%.3f s\t%s\n", c.Name, r.Result, time.Duration(r.Latency).Seconds(), r.User.SIPAddress)
		case Failure:
			fmt.Fprintf(table, "%s\t%s\t%.3f s\t%s\n", c.Name, r.Result, time.Duration(r.Latency).Seconds(), r.inShort())
		default:
			fmt.Fprintf(table, "%s\tnot run\n", c.Name)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	b.WriteString(o.Tally().String() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// String says how many did what.
func (t Tally) String() string {
	text := fmt.Sprintf("%d users: %d signed in, %d failed", t.Cases, t.Succeeded, t.Failed)
	if t.NotRun > 0 {
		text += fmt.Sprintf(", %d not run", t.NotRun)
	}
	if t.Slowest > 0 {
		text += fmt.Sprintf("; the slowest took %.3f s", t.Slowest.Seconds())
	}
	return text
}

// writeJSONs writes one object after the other, or one of all users.
func writeJSONs(w io.Writer, cases []*Case, many bool) error {
	if !many {
		var errs []error
		for _, c := range cases {
			errs = append(errs, WriteJSON(w, c.Result))
		}
		return errors.Join(errs...)
	}
	t := tally(cases)
	s := jsonSummary{Schema: SummarySchema, Users: t.Cases, Succeeded: t.Succeeded, Failed: t.Failed, NotRun: t.NotRun, Boots: []jsonBoot{}}
	for _, c := range cases {
		boot := jsonBoot{Name: c.Name}
		if c.Result.Result != "" {
			r := c.Result.finished()
			boot.Result = &r
		}
		s.Boots = append(s.Boots, boot)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(s)
}
