//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/phone-edition/lpe/scenarios/library"
)

// Ctrl-C at a terminal reaches the process in which virtual time passes too, and it is the other that ends it.
func TestInterruptInVirtualTime(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	type file struct {
		Name string
		Text []byte
	}
	var list []file
	for _, name := range []string{"first-boot-standard-edition", "ten-days-signed-in", "warm-boot-standard-edition"} {
		text, err := library.Text(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, file{name + ".yaml", text})
	}
	child := exec.CommandContext(t.Context(), program)
	child.Args = []string{"lpe"}
	child.Env = append(os.Environ(), "LPE_VIRTUAL_TIME=1")
	orders, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(orders).Encode(map[string]any{"Parallel": 1, "Scenarios": list}); err != nil {
		t.Fatal(err)
	}
	answers := 0
	for lines := bufio.NewScanner(out); lines.Scan(); answers++ {
		if err := child.Process.Signal(os.Interrupt); err != nil {
			t.Log(err) // it has ended
		}
	}
	if err := child.Wait(); err != nil || answers != len(list) {
		t.Errorf("%d answers to %d scenarios, %v", answers, len(list), err)
	}
}
