// Package library is the scenarios that this program brings.
package library

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/scenarios/format"
)

//go:embed *.yaml
var files embed.FS

// Names lists the scenarios, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
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

// Text is the file of the named scenario.
func Text(name string) ([]byte, error) {
	data, err := files.ReadFile(name + ".yaml")
	if err != nil || !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("no scenario %q, see 'lpe scenario list'", name)
	}
	return data, nil
}

// Load reads the named scenario.
func Load(name string) (*format.Scenario, error) {
	data, err := Text(name)
	if err != nil {
		return nil, err
	}
	return format.Parse("scenarios/library/"+name+".yaml", data)
}
