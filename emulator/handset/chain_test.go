package handset

import (
	"errors"
	"fmt"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
)

func TestChainTrouble(t *testing.T) {
	for _, test := range []struct {
		err  error
		want devicestate.Code
	}{
		{fmt.Errorf("%w", certprov.ErrChainTooLong), "chain.too-long"},
		{fmt.Errorf("%w: text", certprov.ErrNoChain), "chain.empty"},
		{soap.ErrMalformed, "chain.garbage"},
		{soap.ErrTooLarge, "chain.garbage"},
		{errors.New("something else"), "chain.garbage"},
	} {
		got := devicestate.NewCode(devicestate.StageChain, chainTrouble(test.err))
		if _, explained := report.Lookup(got); got != test.want || !explained {
			t.Errorf("%v: %s, want %s; explained: %v", test.err, got, test.want, explained)
		}
	}
}
