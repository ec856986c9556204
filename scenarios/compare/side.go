package compare

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/library"
	"github.com/phone-edition/lpe/scenarios/run"
)

// Side is one of two that are compared.
type Side struct {
	Name     string
	Messages []exchange.Message
}

// ProtocolFile is the protocol of what is no message but the keys and values of a file, or what came of a scenario.
const ProtocolFile = "file"

// Profile is a profile as a side: its facts are the fields of one message.
func Profile(p *configs.Profile) Side {
	m := exchange.Message{Protocol: ProtocolFile, Kind: "profile"}
	for _, fact := range p.Facts {
		m.Fields = append(m.Fields, exchange.Field{Name: fact.Name, Value: fmt.Sprint(fact.Value)})
	}
	return Side{Name: p.Name, Messages: []exchange.Message{m}}
}

// A Loader makes a side of a word of some kind, such as the name of a capture. ok is false if the word is of another kind.
type Loader func(ctx context.Context, word string) (side Side, ok bool, err error)

// Load makes a side of each word: a profile by its name or file, a recording, or a scenario, which is run in virtual time
// for its messages. Further loaders are asked first.
func Load(ctx context.Context, words []string, further ...Loader) ([]Side, error) {
	sides := make([]Side, len(words))
	var toRun []*format.Scenario
	var of []int // sides that toRun is for
	for i, word := range words {
		side, scenario, err := load(ctx, word, further)
		if err != nil {
			return nil, err
		}
		sides[i] = side
		if scenario != nil {
			if err := run.CheckVirtual(scenario, run.Options{}); err != nil {
				return nil, err
			}
			toRun, of = append(toRun, scenario), append(of, i)
		}
	}
	files := 0
	for i, s := range sides {
		if !slices.Contains(of, i) && len(s.Messages) > 0 && s.Messages[0].Protocol == ProtocolFile {
			files++
		}
	}
	if files > 0 && files < len(sides) {
		return nil, fmt.Errorf("one of %s is a profile and another is not: there is nothing to compare", strings.Join(words, ", "))
	}
	if len(toRun) == 0 {
		return sides, nil
	}
	return sides, run.AllExchanges(ctx, toRun, 1, func(n int, r run.Result) error {
		sides[of[n]].Messages = r.Exchange
		return nil
	})
}

// load makes a side of a word, or returns the scenario that has to be run for it.
func load(ctx context.Context, word string, further []Loader) (Side, *format.Scenario, error) {
	for _, f := range further {
		if side, ok, err := f(ctx, word); ok || err != nil {
			return side, nil, err
		}
	}
	if slices.Contains(configs.Profiles(), word) {
		p, err := configs.LoadProfile(word)
		if err != nil {
			return Side{}, nil, err
		}
		return Profile(p), nil, nil
	}
	if isProfile(word) {
		p, err := configs.LoadProfileFile(word)
		if err != nil {
			return Side{}, nil, err
		}
		side := Profile(p)
		side.Name = word
		return side, nil, nil
	}
	found, err := library.Find([]string{word})
	switch {
	case err != nil:
		return Side{}, nil, fmt.Errorf("%w\nA side is a scenario by name or file, a recording, a capture, or a profile by name or file", err)
	case len(found) != 1:
		return Side{}, nil, fmt.Errorf("%s names %d scenarios, one expected", word, len(found))
	case len(found[0].Exchange) > 0:
		return Side{Name: word, Messages: found[0].Exchange}, nil, nil
	}
	return Side{Name: word}, found[0], nil
}

// isProfile reports whether a file has facts, as a profile does.
func isProfile(file string) bool {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > configs.MaxDocumentSize {
		return false
	}
	data, err := os.ReadFile(file)
	return err == nil && (bytes.HasPrefix(data, []byte("facts:")) || bytes.Contains(data, []byte("\nfacts:")))
}
