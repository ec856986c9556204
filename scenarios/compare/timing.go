package compare

import (
	"fmt"
	"time"
)

// Timing classes. A gap that a program or a network makes is no timer; one that a timer makes is told to the second, and
// the longer it is the more of it may be the work of others.
const (
	atOnce      = 900 * time.Millisecond // shorter is at once
	tolerance   = 500 * time.Millisecond // of two gaps that are of one class
	toleranceIn = 50                     // or as large a part of the longer
)

func sameClass(a, b time.Duration) bool {
	if a < atOnce && b < atOnce {
		return true
	}
	return (a - b).Abs() <= max(tolerance, max(a, b)/toleranceIn)
}

// class is what a gap is told as.
func class(gap time.Duration) string {
	switch {
	case gap < atOnce:
		return "at once"
	case gap < 10*time.Second:
		return fmt.Sprintf("after %v", gap.Round(100*time.Millisecond))
	}
	return fmt.Sprintf("after %v", gap.Round(time.Second))
}
