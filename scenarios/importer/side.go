package importer

import (
	"context"
	"errors"
	"fmt"

	"github.com/phone-edition/lpe/scenarios/compare"
)

// Side makes a side of a comparison of a capture; it is a [compare.Loader]. A word that names no capture is left to others.
func Side(ctx context.Context, word string) (side compare.Side, ok bool, err error) {
	if checkFile(word) != nil {
		return side, false, nil
	}
	c, err := Read(ctx, word, Options{})
	if errors.Is(err, ErrSeveral) {
		err = fmt.Errorf("%w\nTo compare one of them: lpe scenario import %s --handset MAC --scenario-out FILE, and give that file", err, word)
	}
	if err != nil {
		return side, true, err
	}
	return compare.Side{Name: word, Messages: c.Boot().Exchange()}, true, nil
}
