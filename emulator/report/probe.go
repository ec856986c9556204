package report

import (
	"net"
	"slices"
	"strings"
)

// Outcomes of a [Probe] besides OK and Failed.
const (
	Unknown = "unknown" // it could not be found out
	Helps   = "helps"   // it works and may be the way out
)

// Probe is one thing that was looked at after a boot that failed.
type Probe struct {
	Name    string `json:"name"`    // inform, srv, resolve, tcp, tls, certificate, clock or sts-uri
	Target  string `json:"target"`  // a name, a host and port, a server or a clock
	Outcome string `json:"outcome"` // ok, failed, unknown or helps
	Seen    string `json:"seen"`    // one line
}

// WithProbes returns the result with what was found, which the diagnosis tells as well.
func (r Result) WithProbes(probes []Probe) Result {
	if len(probes) == 0 {
		return r
	}
	r.Probes = probes
	var found, fine []string
	for _, p := range probes {
		if p.Outcome == OK {
			fine = addFine(fine, p)
			continue
		}
		found = append(found, p.Name+" "+p.Target+": "+oneLine(p.Seen))
	}
	text := ". Looked further, and all is in order: "
	if len(found) > 0 {
		text = ". Looked further: " + strings.Join(found, "; ") + ". In order: "
	}
	if len(fine) > 0 {
		text += strings.Join(fine, ", ") + "."
	} else {
		text = strings.TrimSuffix(text, " In order: ")
	}
	r.Diagnosis = strings.TrimRight(r.Diagnosis, ". ") + text
	return r
}

// addFine adds what is in order: its name, and the port if it is one, "tcp 80".
func addFine(list []string, p Probe) []string {
	text := p.Name
	if _, port, err := net.SplitHostPort(p.Target); err == nil {
		text += " " + port
	}
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}
