//go:build race

package rig_test

import "runtime"

// The longest tests are shorter under the race detector, and check the same.
const (
	signedInDays     = 9
	lossesADay       = 4
	troubleDays      = 2
	certificateHours = 72
)

// Go 1.26 gives the timers of a synctest bubble one context of the race detector. A goroutine that finds the timer of its
// channel expired runs it itself, in that context, and two of them at once, on two processors, break it: the detector's
// runtime ends in SIGSEGV in __tsan::SlotLock, or in a failed CHECK. What races is found on one processor, too: the
// detector goes by what happens before what.
func init() { runtime.GOMAXPROCS(1) }
