//go:build race

package library_test

// every says which scenarios are run without their faults: of twenty one under the race detector, which takes ten times as long.
const every = 20
