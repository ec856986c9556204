package library

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/scenarios/format"
)

// Find reads the scenarios that words name: a scenario of this program, a pattern of such names (fault-*), a file, or a
// directory, of which every .yaml file is one. The error names every mistake of all of them, and is a [fs.PathError] where
// the computer lets one not be read.
func Find(words []string) ([]*format.Scenario, error) {
	var list []*format.Scenario
	var problems []error
	take := func(s *format.Scenario, err error) {
		if err != nil {
			problems = append(problems, err)
			return
		}
		if i := slices.IndexFunc(list, func(other *format.Scenario) bool { return other.Name == s.Name }); i >= 0 {
			if list[i].File != s.File {
				problems = append(problems, fmt.Errorf("%s and %s are both called %s", list[i].File, s.File, s.Name))
			}
			return
		}
		list = append(list, s)
	}
	for _, word := range words {
		names, paths, err := resolve(word)
		if err != nil {
			problems = append(problems, err)
		}
		for _, name := range names {
			take(Load(name))
		}
		for _, path := range paths {
			take(format.Load(path))
		}
	}
	return list, errors.Join(problems...)
}

// resolve tells what a word names: scenarios of this program, or files.
func resolve(word string) (names, paths []string, err error) {
	if !strings.ContainsAny(word, `/\`) {
		for _, name := range Names() {
			if ok, err := path.Match(word, name); ok && err == nil {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			return names, nil, nil
		}
	}
	info, err := os.Stat(word)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("no scenario %q, see 'lpe scenario list', and no such file", word)
	case err != nil:
		return nil, nil, err
	case !info.IsDir():
		return nil, []string{word}, nil
	}
	entries, err := os.ReadDir(word)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		if !entry.IsDir() && filepath.Ext(entry.Name()) == ".yaml" {
			paths = append(paths, filepath.Join(word, entry.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, nil, fmt.Errorf("%s has no .yaml file", word)
	}
	return nil, paths, nil
}
