//go:build race

package replay_test

// A few, since the race detector takes ten times as long.
var (
	replayedWhole = []string{"administration-while-signed-in", "director-redirects"}
	servedWrong   = []string{"fault-discovery-silent", "fault-register-403", "fault-web-http-500"}
)
