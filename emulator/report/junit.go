package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
)

// The elements of the JUnit XML that the Ant task writes and CI servers read, in the order of its schema.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Package    string          `xml:"package,attr"`
		ID         int             `xml:"id,attr"`
		Timestamp  string          `xml:"timestamp,attr"` // UTC, without zone
		Hostname   string          `xml:"hostname,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Properties junitProperties `xml:"properties"`
		Cases      []junitCase     `xml:"testcase"`
		Out        string          `xml:"system-out"`
		Err        string          `xml:"system-err"`
	}
	junitProperties struct {
		List []junitProperty `xml:"property"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Skipped *struct{}     `xml:"skipped"`
		Error   *junitProblem `xml:"error"`
		Failure *junitProblem `xml:"failure"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes a test suite with a case a boot. A sign-in that failed is a failure with its code for a type; one
// that was interrupted, or that this program could not do, is an error; one that was not begun is skipped.
func WriteJUnit(w io.Writer, cases []*Case) error {
	suite := junitSuite{Name: "lpe boot", Package: "lpe", Hostname: hostname(), Tests: len(cases)}
	var began time.Time
	var total time.Duration
	var lists strings.Builder
	for _, c := range cases {
		r := c.Result
		if at := r.Began(); !at.IsZero() && (began.IsZero() || at.Before(began)) {
			began = at
		}
		total += time.Duration(r.Latency)
		one := junitCase{Name: oneLine(c.Name), Class: "lpe.boot", Time: seconds(time.Duration(r.Latency))}
		switch {
		case r.Result == Success:
		case r.Result == "":
			suite.Skipped++
			one.Skipped = &struct{}{}
		case notThePools(r) || r.Code == string(devicestate.CodeInternal):
			suite.Errors++
			one.Error = problem(r)
		default:
			suite.Failures++
			one.Failure = problem(r)
		}
		suite.Cases = append(suite.Cases, one)
		if r.Result != "" {
			if err := WriteList(&lists, r); err != nil {
				return err
			}
		}
	}
	suite.Timestamp = began.UTC().Format("2006-01-02T15:04:05")
	suite.Time = seconds(total)
	suite.Out = lists.String()
	if len(cases) > 0 {
		h := cases[0].Result.Handset
		suite.Properties.List = []junitProperty{{"profile", h.Profile}, {"firmware", h.Firmware}}
	}
	return writeSuite(w, suite)
}

func writeSuite(w io.Writer, suite junitSuite) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suite: suite}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// Check is a case of a suite whose cases are no boots.
type Check struct {
	Name          string
	Took          time.Duration
	Failure       string // one line, "": it passed
	Type, Details string // of the failure
	NotRun        bool
}

// WriteJUnitChecks writes a test suite of checks. class is the one of its cases.
func WriteJUnitChecks(w io.Writer, name, class string, began time.Time, list []Check) error {
	suite := junitSuite{
		Name: name, Package: "lpe", Hostname: hostname(), Tests: len(list), Timestamp: began.UTC().Format("2006-01-02T15:04:05"),
	}
	var total time.Duration
	for _, c := range list {
		total += c.Took
		one := junitCase{Name: oneLine(c.Name), Class: class, Time: seconds(c.Took)}
		switch {
		case c.NotRun:
			suite.Skipped++
			one.Skipped = &struct{}{}
		case c.Failure != "":
			suite.Failures++
			one.Failure = &junitProblem{Message: oneLine(c.Failure), Type: c.Type, Text: c.Details}
		}
		suite.Cases = append(suite.Cases, one)
	}
	suite.Time = seconds(total)
	return writeSuite(w, suite)
}

func problem(r Result) *junitProblem {
	return &junitProblem{Message: oneLine(r.Error), Type: r.Code, Text: fmt.Sprintf("in state %s, stage %s\n%s", r.State, r.Stage, r.Diagnosis)}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

func hostname() string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}
