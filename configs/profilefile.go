package configs

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/devicestate"
)

//go:embed profiles labs faults.yaml
var files embed.FS

const maxBases = 16

// Profiles lists the profiles that this program brings, sorted by name.
func Profiles() []string { return namesIn("profiles") }

// namesIn lists the YAML files of an embedded directory, sorted, without their ending.
func namesIn(dir string) []string {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return nil // the directory is part of the program
	}
	var names []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".yaml"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// LoadProfileFile reads a profile of somebody's own, which may name the bases of this program. It is called as the file is,
// without directory and .yaml.
func LoadProfileFile(file string) (*Profile, error) {
	data, err := readRegular("profile", file)
	if err != nil {
		return nil, err
	}
	return parseProfile(strings.TrimSuffix(filepath.Base(file), ".yaml"), file, data, baseProfile)
}

// LoadProfile reads the named profile of [Profiles].
func LoadProfile(name string) (*Profile, error) {
	data, err := ProfileText(name)
	if err != nil {
		return nil, err
	}
	return ParseProfile(name, data, baseProfile)
}

// ProfileText is the file of the named profile.
func ProfileText(name string) ([]byte, error) {
	data, err := files.ReadFile(path.Join("profiles", name+".yaml"))
	if err != nil || !slices.Contains(Profiles(), name) {
		return nil, fmt.Errorf("no profile %q, see 'lpe profile list'", name)
	}
	return data, nil
}

// ProfileOf reads a profile as [LoadProfileFile] does if the name ends in .yaml, else as [LoadProfile].
func ProfileOf(nameOrFile string) (*Profile, error) {
	if strings.HasSuffix(nameOrFile, ".yaml") {
		return LoadProfileFile(nameOrFile)
	}
	return LoadProfile(nameOrFile)
}

func baseProfile(name string) ([]byte, error) {
	data, err := files.ReadFile(path.Join("profiles", "base", name+".yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no base %q", name)
	}
	return data, err
}

// ParseProfile reads the profile of a YAML file. Its bases, in the order in which it names them, are read first with
// base; a later fact replaces an earlier one of the same name. Every fact of [Profile] must be there, each with value,
// provenance and source; glass texts may be missing. The error is of type [Problems] when files have mistakes.
func ParseProfile(name string, data []byte, base func(name string) ([]byte, error)) (*Profile, error) {
	return parseProfile(name, "profiles/"+name+".yaml", data, base)
}

func parseProfile(name, file string, data []byte, base func(name string) ([]byte, error)) (*Profile, error) {
	r := &profileReader{profile: &Profile{Name: name, Glass: map[string]GlassText{}}, facts: map[string]Fact{}, base: base}
	r.read(file, data)
	if len(r.problems) > 0 {
		return nil, r.problems.err()
	}
	r.complete(file)
	if len(r.problems) > 0 {
		return nil, r.problems.err()
	}
	for _, fact := range r.facts {
		r.profile.Facts = append(r.profile.Facts, fact)
	}
	slices.SortFunc(r.profile.Facts, func(a, b Fact) int { return strings.Compare(a.Name, b.Name) })
	return r.profile, nil
}

type profileReader struct {
	profile  *Profile
	facts    map[string]Fact
	base     func(string) ([]byte, error)
	open     []string // files being read, the outermost first
	bases    int
	problems Problems
}

func (r *profileReader) read(name string, data []byte) {
	f := parseFile(name, data)
	defer func() {
		if err := f.finish(); err != nil {
			r.problems = append(r.problems, f.problems...)
		}
	}()
	if f.root == nil {
		return
	}
	r.open = append(r.open, name)
	defer func() { r.open = r.open[:len(r.open)-1] }()
	top := f.section("", f.root)
	for _, base := range top.texts("base") {
		r.readBase(top, base)
	}
	facts := top.sub("facts")
	top.finish()
	for _, key := range facts.order {
		r.readFact(f.section(key, facts.take(key)), key)
	}
}

func (r *profileReader) readBase(top *section, base string) {
	name := "profiles/base/" + base + ".yaml"
	if slices.Contains(r.open, name) {
		top.report("base", "%q is a base of itself", base)
		return
	}
	if r.bases++; r.bases > maxBases {
		top.report("base", "more than %d bases", maxBases)
		return
	}
	data, err := r.base(base)
	if err != nil {
		top.report("base", "%v", err)
		return
	}
	r.read(name, data)
}

// readFact reads one fact into its field and into the list.
func (r *profileReader) readFact(s *section, name string) {
	fact := Fact{Name: name, Provenance: Provenance(s.choice("provenance", "", string(Sourced), string(Inferred), string(Assumed)))}
	fact.Source = s.needText("source")
	if key, ok := strings.CutPrefix(name, "glass."); ok {
		if !isGlassKey(key) {
			s.file.report(s.line, "%s: %q is no state and no failure code, nor a reset", name, key)
		}
		fact.Value = s.needText("value")
		s.printable(fact.Value)
		r.profile.Glass[key] = GlassText{Text: fact.Value, Provenance: fact.Provenance}
	} else if i, ok := factFields[name]; ok {
		fact.Value = s.fill(reflect.ValueOf(r.profile).Elem().Field(i), profileType.Field(i).Tag)
	} else {
		s.file.report(s.line, "unknown fact %q", name)
		return
	}
	s.finish()
	r.facts[name] = fact
}

func isGlassKey(key string) bool {
	return slices.Contains(devicestate.States(), devicestate.State(key)) || isCode(key) ||
		key == string(devicestate.HardReset) || key == string(devicestate.FactoryReset)
}

// complete reports what is missing or contradictory in the whole profile.
func (r *profileReader) complete(file string) {
	for i := range profileType.NumField() {
		name := profileType.Field(i).Tag.Get("fact")
		if _, ok := r.facts[name]; !ok && name != "" {
			r.problems = append(r.problems, Problem{File: file, Text: fmt.Sprintf("fact %q is missing", name)})
		}
	}
	if p := r.profile; p.TLSMin > p.TLSMax {
		r.problems = append(r.problems, Problem{File: file, Text: fmt.Sprintf("tls.min %s is above tls.max %s", p.TLSMin, p.TLSMax)})
	}
}
