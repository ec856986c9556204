//go:build !linux

package rig_test

import (
	"os"
	"testing"
)

// dieWithin leaves a new file that is empty, begun, or whole but not renamed, and ends this process.
func dieWithin(t *testing.T, how string) {
	t.Helper()
	c, _ := wantedCrash()
	if err := os.MkdirAll(string(c.flash()), 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := os.CreateTemp(string(c.flash()), "flash.json.new.*")
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{"flush": `{"version": 2, "regis`, "rename": `{"version": 2}`}[how]
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	kill(t)
}
