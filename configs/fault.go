package configs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"

	"github.com/phone-edition/lpe/devicestate"
)

// Fault is one entry of faults.yaml, the one list of faults.
type Fault struct {
	Name        string `json:"name"`                // stage=kind
	Parameter   string `json:"parameter,omitempty"` // what may follow a colon: "", "duration" or "times"
	Description string `json:"description"`         // one sentence
	Code        string `json:"code,omitempty"`      // failure code it must give, empty if the handset boots
	// Codes are those of labs whose network makes another failure of it, by the lab's name. See [Fault.CodeIn].
	Codes   map[string]string `json:"codes,omitempty"`
	Warning string            `json:"warning,omitempty"` // warning code of a boot that succeeds
	SignIn  string            `json:"sign_in,omitempty"` // the only way of signing in that meets it: "", "pin" or "password"
	Source  string            `json:"source"`
}

// CodeIn is the failure code that the fault must give in a lab, "" if the handset boots there.
func (f Fault) CodeIn(lab string) string {
	if code, ok := f.Codes[lab]; ok {
		return code
	}
	return f.Code
}

// Faults returns the list of faults in the order of the boot.
func Faults() ([]Fault, error) {
	list, err := readFaults()
	list = slices.Clone(list)
	for i := range list {
		list[i].Codes = maps.Clone(list[i].Codes)
	}
	return list, err
}

var readFaults = sync.OnceValues(func() ([]Fault, error) {
	data, err := files.ReadFile("faults.yaml")
	if err != nil {
		return nil, err
	}
	return parseFaults("faults.yaml", data)
})

var (
	faultName = regexp.MustCompile(`^([a-z-]+)=([a-z0-9]+(?:-[a-z0-9]+)*)$`)
	codeText  = regexp.MustCompile(`^([a-z-]+)\.([a-z0-9]+(?:-[a-z0-9]+)*)$`)
)

func parseFaults(name string, data []byte) ([]Fault, error) {
	f := parseFile(name, data)
	if f.root == nil || len(f.problems) > 0 {
		return nil, f.finish()
	}
	list, ok := f.root.(*ast.SequenceNode)
	if !ok {
		f.report(1, "expected a list of faults, found %s", kindOf(f.root))
		return nil, f.finish()
	}
	var faults []Fault
	for i, node := range list.Values {
		s := f.section(fmt.Sprintf("fault %d", i+1), node)
		fault := readFault(s)
		if slices.ContainsFunc(faults, func(other Fault) bool { return other.Name == fault.Name }) {
			s.report("name", "%q stands twice in the list", fault.Name)
		}
		faults = append(faults, fault)
		s.finish()
	}
	return faults, f.finish()
}

func readFault(s *section) Fault {
	fault := Fault{
		Name: s.needText("name"), Description: s.needText("description"), Code: s.text("code"), Warning: s.text("warning"),
		Source: s.needText("source"),
	}
	if s.has("parameter") {
		fault.Parameter = s.choice("parameter", "", "duration", "times")
	}
	if s.has("sign_in") {
		fault.SignIn = s.choice("sign_in", "", "pin", "password")
	}
	if parts := faultName.FindStringSubmatch(fault.Name); parts == nil || !isFaultPlace(parts[1]) {
		s.report("name", "expected stage=kind in lower case with hyphens")
	}
	if fault.Code != "" && !isCode(fault.Code) {
		s.report("code", "expected a code stage.kind")
	}
	if fault.Warning != "" && !isCode(fault.Warning) {
		s.report("warning", "expected a code stage.kind")
	}
	if fault.Code != "" && fault.Warning != "" {
		s.report("warning", "a fault gives a failure code or a warning, not both")
	}
	fault.Codes = readCodes(s, fault.Code)
	return fault
}

// readCodes returns the codes that differ by lab.
func readCodes(s *section, usual string) map[string]string {
	if !s.has("codes") {
		return nil
	}
	codes := map[string]string{}
	of := s.sub("codes")
	for _, lab := range of.order {
		code := of.needText(lab)
		switch {
		case !slices.Contains(Labs(), lab):
			of.report(lab, "no lab of that name, there are %s", strings.Join(Labs(), ", "))
		case !isCode(code):
			of.report(lab, "expected a code stage.kind")
		case code == usual:
			of.report(lab, "is the code of every lab")
		}
		codes[lab] = code
	}
	if len(codes) == 0 {
		s.report("codes", "expected a code for each lab that differs")
	}
	return codes
}

// isFaultPlace reports whether a fault may strike there: a stage, or dns, or web for chain, ticket and enroll at once.
func isFaultPlace(place string) bool { return place == "dns" || place == "web" || isStage(place) }

func isStage(name string) bool {
	return slices.ContainsFunc(devicestate.States(), func(s devicestate.State) bool { return name != "" && string(s.Stage()) == name })
}

func isCode(text string) bool {
	parts := codeText.FindStringSubmatch(text)
	return parts != nil && isStage(parts[1])
}
