//go:build race

package matrix_test

// compared are the profiles whose baselines are looked at: of each model one firmware under the race detector, which takes
// ten times as long.
const compared = "*-4.0.7577.4463"
