package faults

import (
	"errors"
	"fmt"

	"github.com/phone-edition/lpe/configs"
)

// ErrUnknown is that of a fault that faults.yaml does not list.
var ErrUnknown = errors.New("is not known")

// Known reads a fault that faults.yaml lists, with a parameter that it takes.
func Known(text string) (Fault, configs.Fault, error) {
	list, err := configs.Faults()
	if err != nil {
		return Fault{}, configs.Fault{}, err
	}
	f, err := Parse(text)
	if err != nil {
		return Fault{}, configs.Fault{}, err
	}
	for _, entry := range list {
		if entry.Name != f.Name {
			continue
		}
		switch {
		case f.Param.Duration != 0 && entry.Parameter != "duration":
			return f, entry, fmt.Errorf("fault %s takes no duration", f.Name)
		case f.Param.Times != 0 && entry.Parameter != "times":
			return f, entry, fmt.Errorf("fault %s takes no number of times", f.Name)
		}
		return f, entry, nil
	}
	return f, configs.Fault{}, fmt.Errorf("fault %s %w, see 'lpe boot --list-faults'", f.Name, ErrUnknown)
}
