package importer

import (
	"context"

	"github.com/phone-edition/lpe/scenarios/compare"
)

// Side makes a side of a comparison of a capture; it is a [compare.Loader]. A word that names no capture is left to others.
func Side(ctx context.Context, word string) (side compare.Side, ok bool, err error) {
	if checkFile(word) != nil {
		return side, false, nil
	}
	c, err := Read(ctx, word, Options{})
	if err != nil {
		return side, true, err
	}
	return compare.Side{Name: word, Messages: c.Boot().Exchange()}, true, nil
}
