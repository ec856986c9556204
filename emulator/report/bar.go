package report

import (
	"fmt"
	"io"
	"strings"
)

const barCells = 30

// Bar draws on one line of a terminal how many boots are done. Errors of the terminal are not reported: there is nowhere
// to.
type Bar struct {
	w                   io.Writer
	total, done, failed int
}

// NewBar draws an empty bar.
func NewBar(w io.Writer, total int) *Bar {
	b := &Bar{w: w, total: total}
	b.draw()
	return b
}

// Add draws one boot more. The nil Bar draws nothing.
func (b *Bar) Add(failed bool) {
	if b == nil {
		return
	}
	b.done++
	if failed {
		b.failed++
	}
	b.draw()
}

func (b *Bar) draw() {
	cells := barCells
	if b.total > 0 {
		cells = barCells * b.done / b.total
	}
	fmt.Fprintf(b.w, "\r[%s%s] %d/%d, %d failed", strings.Repeat("#", cells), strings.Repeat(".", barCells-cells), b.done, b.total, b.failed)
}

// End goes on to the next line.
func (b *Bar) End() {
	if b != nil {
		fmt.Fprintln(b.w)
	}
}
