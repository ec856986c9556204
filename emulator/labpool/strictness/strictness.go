// Package strictness names what the lab's services verify. Each service exports its checks; docs/strictness.md is
// generated from them, and a test of each service sends the wrong message of every check and gets its refusal.
package strictness

// Check is one thing that a service of the lab verifies.
type Check struct {
	Stage   string // stage of the boot whose messages are checked: address, chain, register; web: any request
	Name    string // unique within the stage, lower case with hyphens
	Wrong   string // the wrong message, in words
	Refusal string // what comes back on the wire
	Source  string // document and section; "inferred" or "lab" where there is none
}
