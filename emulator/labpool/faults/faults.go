// Package faults holds the faults that are active in one lab: what its pool and network get wrong on purpose.
package faults

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Param is the parameter of a fault.
type Param struct {
	Duration time.Duration // 0 if none was given
	Times    int           // how many times the fault strikes before it is over, 0 if it never is
}

// Fault is one entry of --fault: discovery=option120-text, web=slow:5s, register=503:2.
type Fault struct {
	Name  string // stage=kind
	Param Param
}

// String is the fault as [Parse] reads it.
func (f Fault) String() string {
	switch {
	case f.Param.Duration != 0:
		return f.Name + ":" + f.Param.Duration.String()
	case f.Param.Times != 0:
		return f.Name + ":" + strconv.Itoa(f.Param.Times)
	}
	return f.Name
}

// Parse reads stage=kind, stage=kind:DURATION or stage=kind:TIMES.
func Parse(text string) (Fault, error) {
	name, param, given := strings.Cut(text, ":")
	stage, kind, ok := strings.Cut(name, "=")
	if !ok || !isWord(stage) || !isWord(kind) {
		return Fault{}, fmt.Errorf("fault %q: stage=kind expected, lower case with hyphens", text)
	}
	f := Fault{Name: name}
	if !given {
		return f, nil
	}
	if times, err := strconv.Atoi(param); err == nil {
		f.Param.Times = times
		if times < 1 {
			return Fault{}, fmt.Errorf("fault %q: at least 1 time expected", text)
		}
		return f, nil
	}
	duration, err := time.ParseDuration(param)
	if err != nil || duration <= 0 {
		return Fault{}, fmt.Errorf("fault %q: parameter %q, a duration such as 5s or a number of times expected", text, param)
	}
	f.Param.Duration = duration
	return f, nil
}

// ParseList reads faults separated by commas and names every one that cannot be read.
func ParseList(text string) ([]Fault, error) {
	var list []Fault
	var problems []error
	for entry := range strings.SplitSeq(text, ",") {
		f, err := Parse(strings.TrimSpace(entry))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		list = append(list, f)
	}
	return list, errors.Join(problems...)
}

func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Set is a set of active faults. The nil Set is empty. Its methods may be called from several goroutines.
type Set struct {
	mu     sync.Mutex
	active map[string]Param
}

// NewSet returns a set of the given faults; of two with one name the later counts.
func NewSet(list ...Fault) *Set {
	s := &Set{active: map[string]Param{}}
	for _, f := range list {
		s.active[f.Name] = f.Param
	}
	return s
}

// On reports whether the named fault strikes now. Each call that it answers with true uses up one of the fault's
// times; Times in the parameter counts those left, this one included.
func (s *Set) On(name string) (Param, bool) {
	if s == nil {
		return Param{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	param, ok := s.active[name]
	if !ok {
		return Param{}, false
	}
	switch param.Times {
	case 0:
	case 1:
		delete(s.active, name)
	default:
		s.active[name] = Param{param.Duration, param.Times - 1}
	}
	return param, true
}

// Has reports whether the named fault is active, without using it up.
func (s *Set) Has(name string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.active[name]
	return ok
}

// Put makes a fault active, in place of one with its name.
func (s *Set) Put(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active[f.Name] = f.Param
}

// Clear ends the named fault and reports whether it was active.
func (s *Set) Clear(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.active[name]
	delete(s.active, name)
	return ok
}

// Active lists the faults that are not over, sorted by name; the times of each are those left.
func (s *Set) Active() []Fault {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Fault
	for _, name := range slices.Sorted(maps.Keys(s.active)) {
		out = append(out, Fault{name, s.active[name]})
	}
	return out
}
