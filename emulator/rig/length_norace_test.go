//go:build !race

package rig_test

const (
	signedInDays     = 90 // and as long without power
	lossesADay       = 2
	troubleDays      = 14
	certificateHours = 240
)
