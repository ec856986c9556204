package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// unknown says that there is no parameter or flag of a name, and which one may be meant.
func unknown(kind, dashes, name string, flags *pflag.FlagSet) error {
	var names []string
	if kind == "parameter" {
		for _, p := range parameters {
			names = append(names, "-"+p.name)
		}
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	if near := nearest(strings.TrimSuffix(shown(name), "…"), names); near != "" {
		return usage("there is no %s %s%s; did you mean %s?", kind, dashes, shown(name), near)
	}
	return usage("there is no %s %s%s", kind, dashes, shown(name))
}

// flagError names the nearest flag instead of one that does not exist.
func flagError(c *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	if errors.As(err, &missing) && missing.GetSpecifiedShortnames() == "" {
		return unknown("flag", "--", missing.GetSpecifiedName(), c.Flags())
	}
	return err
}

// nearest returns the one of names that name is most likely meant to be, "" if none is like it. Dashes and case do not
// count.
func nearest(name string, names []string) string {
	key := letters(name)
	key = key[:min(len(key), maxCompared)]
	best, least := "", max(1, len(key)/3)+1
	for _, n := range names {
		if d := distance(key, letters(n)); d < least {
			best, least = n, d
		}
	}
	return best
}

func letters(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

// maxCompared bounds what nearest does.
const maxCompared = 64

// distance counts the letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
