package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
)

//go:embed diagnoses.yaml
var diagnosesYAML []byte

// Diagnosis explains one failure or warning code.
type Diagnosis struct {
	Code   devicestate.Code   `yaml:"code" json:"code"`
	Fault  string             `yaml:"fault" json:"fault"`   // whose: see Faults
	Words  string             `yaml:"words" json:"words"`   // whose words Error is in: cmdlet or ours
	Error  string             `yaml:"error" json:"error"`   // the text of the Error line
	Seen   string             `yaml:"seen" json:"seen"`     // what the handset saw on the wire
	Note   string             `yaml:"note" json:"note"`     // what to know about the causes, often empty
	Causes []string           `yaml:"causes" json:"causes"` // the likeliest first
	Remedy string             `yaml:"remedy" json:"remedy"` // the exact cmdlet or setting
	Glass  configs.Provenance `yaml:"glass" json:"glass"`   // of the text that the glass shows for the code, empty: none is known
	Source string             `yaml:"source" json:"source"`
}

// Faults lists who a fault can be put down to.
func Faults() []string {
	return []string{"phone", "network", "DHCP", "DNS", "web services", "registrar", "user", "certificate", "clock"}
}

var catalogue = sync.OnceValues(func() (map[devicestate.Code]Diagnosis, error) {
	list, err := parseDiagnoses(diagnosesYAML)
	if err != nil {
		return nil, err
	}
	byCode := make(map[devicestate.Code]Diagnosis, len(list))
	for _, d := range list {
		byCode[d.Code] = d
	}
	return byCode, nil
})

// Diagnoses returns the catalogue in the order of the boot.
func Diagnoses() ([]Diagnosis, error) { return parseDiagnoses(diagnosesYAML) }

func parseDiagnoses(text []byte) ([]Diagnosis, error) {
	var list []Diagnosis
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&list); err != nil {
		return nil, fmt.Errorf("diagnoses.yaml: %w", err)
	}
	return list, nil
}

// Lookup returns the entry of code.
func Lookup(code devicestate.Code) (Diagnosis, bool) {
	byCode, err := catalogue()
	if err != nil {
		return Diagnosis{}, false
	}
	d, ok := byCode[code]
	return d, ok
}

// Diagnose returns the texts of the Error and the Diagnosis line, one line each, for a boot that failed with code.
// seen is what the handset saw, such as [handset.Failure.Detail]; empty means the catalogue's own words. A SIP answer
// in it ("ErrorCode=…") begins the diagnosis, as in the cmdlet. A code without entry gives the code and seen.
func Diagnose(code devicestate.Code, seen string) (errorText, diagnosisText string) {
	seen = oneLine(seen)
	d, ok := Lookup(code)
	if !ok {
		return string(code), seen
	}
	errorText = d.errorFor(seen)
	if seen == "" {
		seen = d.Seen
	}
	if i := strings.Index(seen, "ErrorCode="); i >= 0 {
		seen = seen[i:] + " (" + strings.TrimRight(seen[:i], ": ") + ")"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s. %s: %s. ", strings.TrimSuffix(seen, "."), d.Code, d.Fault)
	if d.Note != "" {
		b.WriteString(d.Note + " ")
	}
	if len(d.Causes) == 1 {
		fmt.Fprintf(&b, "Cause: %s. ", d.Causes[0])
	} else {
		b.WriteString("Causes, the likeliest first: ")
		for i, cause := range d.Causes {
			fmt.Fprintf(&b, "%d) %s; ", i+1, cause)
		}
	}
	text := strings.TrimSuffix(strings.TrimSpace(b.String()), ";")
	return errorText, strings.TrimSuffix(text, ".") + ". Remedy: " + d.Remedy
}

var (
	peerAddress = regexp.MustCompile(`^\S+ \((\d{1,3}(?:\.\d{1,3}){3}:\d{1,5})\): `)
	sipStatus   = regexp.MustCompile(`(?:^|: )(\d{3}, [^:]+)`)
)

// errorFor is the text of the Error line: with the address that does not answer, as the cmdlet has it (handset.md §7.3
// R), and with the SIP status where the entry stands for several.
func (d Diagnosis) errorFor(seen string) string {
	if m := peerAddress.FindStringSubmatch(seen); m != nil && strings.HasPrefix(d.Error, "10060, ") {
		return d.Error + " " + m[1]
	}
	if m := sipStatus.FindStringSubmatch(seen); m != nil && d.Code == "register.sip-error" {
		return m[1]
	}
	return d.Error
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
