package tlsdsk

import (
	"fmt"
	"strconv"
)

// Window refuses repeated message numbers: of the highest and the 255 below it each is accepted once, lower ones are
// refused (OfficeSIP, sip.md §1.6). The zero Window is ready.
type Window struct {
	started bool
	highest uint32
	seen    [windowSize / 64]uint64
}

const windowSize = 256

// Accept reports whether n is new. The first number seen begins the window, as a handset goes on counting over a new
// association (sip.md §1.6); none below it and never 0 is accepted.
func (w *Window) Accept(n uint32) bool {
	switch {
	case n == 0:
		return false
	case !w.started:
		w.started, w.highest = true, n
		w.seen = [len(w.seen)]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	case n > w.highest:
		for gap := w.highest + 1; gap != n && gap-w.highest <= windowSize; gap++ {
			w.mark(gap, false)
		}
		w.highest = n
	case w.highest-n >= windowSize || w.marked(n):
		return false
	}
	w.mark(n, true)
	return true
}

func (w *Window) mark(n uint32, on bool) {
	word, bit := n%windowSize/64, uint64(1)<<(n%64)
	w.seen[word] &^= bit
	if on {
		w.seen[word] |= bit
	}
}

func (w *Window) marked(n uint32) bool { return w.seen[n%windowSize/64]&(1<<(n%64)) != 0 }

// ParseNumber reads cnum or snum: decimal without padding.
func ParseNumber(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, fmt.Errorf("%w: number %.12q", ErrParams, text)
	}
	return uint32(n), nil
}
