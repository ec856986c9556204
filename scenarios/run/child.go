package run

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/format"
)

// Virtual time is a thing of tests (testing/synctest), so the program starts itself again as a test. The parent writes an
// order to the child's standard input; the child writes an answer a line to its standard output.
type (
	order struct {
		Parallel  int
		Exchange  bool
		Scenarios []file
	}
	file struct {
		Name string
		Text []byte
		As   string
	}
	answer struct {
		N        int
		Result   Result
		Exchange []byte // in gob, which keeps what JSON does not show
		Error    string
	}
)

// virtualMark is the environment variable that makes the program such a child.
const virtualMark = "LPE_VIRTUAL_TIME"

const maxAnswer = 64 << 20 // bytes

// AllVirtually is [All] in virtual time.
func AllVirtually(ctx context.Context, list []*format.Scenario, parallel int, done func(n int, r Result) error) error {
	return allVirtually(ctx, list, parallel, false, done)
}

// AllExchanges is [AllVirtually] with states and messages in the results.
func AllExchanges(ctx context.Context, list []*format.Scenario, parallel int, done func(n int, r Result) error) error {
	return allVirtually(ctx, list, parallel, true, done)
}

func allVirtually(ctx context.Context, list []*format.Scenario, parallel int, exchange bool, done func(n int, r Result) error) error {
	work := order{Parallel: parallel, Exchange: exchange}
	for _, s := range list {
		if err := CheckVirtual(s, Options{}); err != nil {
			return err
		}
		work.Scenarios = append(work.Scenarios, file{s.File, s.Text, s.As})
	}
	text, err := json.Marshal(work)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return &rig.ComputerError{Err: err}
	}
	child := exec.CommandContext(ctx, program)
	var told strings.Builder
	child.Args[0] = os.Args[0]
	child.Env = append(os.Environ(), virtualMark+"=1")
	child.Stdin, child.Stderr = strings.NewReader(string(text)), &told
	answers, err := child.StdoutPipe()
	if err != nil {
		return &rig.ComputerError{Err: err}
	}
	if err := child.Start(); err != nil {
		return &rig.ComputerError{Err: fmt.Errorf("starting again for virtual time: %w", err)}
	}
	count, failed := take(answers, len(list), done)
	if failed != nil {
		_ = child.Process.Kill() // what it still has to say is of no use
	}
	ended := child.Wait()
	switch {
	case failed != nil:
		return failed
	case ctx.Err() != nil:
		return ctx.Err()
	case ended != nil || count < len(list):
		return fmt.Errorf("virtual time ended after %d of %d scenarios: %w\n%s", count, len(list), ended, lastLines(told.String()))
	}
	return nil
}

// take reads the answers.
func take(from io.Reader, want int, done func(n int, r Result) error) (count int, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return count, fmt.Errorf("virtual time gave no answer: %w", err)
		}
		switch {
		case a.N < 0 || a.N >= want:
			return count, fmt.Errorf("virtual time gave an answer to scenario %d of %d", a.N, want)
		case a.Error != "":
			return count, errors.New(a.Error)
		}
		if a.Exchange != nil {
			if err := gob.NewDecoder(bytes.NewReader(a.Exchange)).Decode(&a.Result.Exchange); err != nil {
				return count, fmt.Errorf("virtual time gave no messages: %w", err)
			}
		}
		count++
		if err := done(a.N, a.Result); err != nil {
			return count, err
		}
	}
	return count, lines.Err()
}

const mostLines = 40

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-mostLines):], "\n")
}

// InVirtualTime reports whether this program was started for virtual time: then [ServeVirtualTime] is all that it does.
func InVirtualTime(env func(string) string) bool { return env(virtualMark) != "" }

// ServeVirtualTime takes an order from in and answers it to out, each scenario as a test. It does not return.
func ServeVirtualTime(in io.Reader, out io.Writer) {
	signal.Ignore(os.Interrupt) // Ctrl-C reaches both, and the parent tells what came until then
	var work order
	if err := json.NewDecoder(in).Decode(&work); err != nil {
		panic("virtual time: " + err.Error()) // somebody has set the variable by hand
	}
	var keys rig.Keyring
	if err := Prepare(&keys); err != nil {
		panic("virtual time: " + err.Error())
	}
	answers := make(chan answer)
	written := make(chan struct{})
	go func() {
		defer close(written)
		encode := json.NewEncoder(out)
		for a := range answers {
			if err := encode.Encode(a); err != nil {
				panic("virtual time: " + err.Error()) // the parent is gone
			}
		}
	}()
	test := func(t *testing.T) {
		t.Run("scenarios", func(t *testing.T) { // which waits for the parallel ones
			for n, f := range work.Scenarios {
				t.Run(strconv.Itoa(n), func(t *testing.T) {
					t.Parallel()
					answers <- virtualOne(t, n, f, Options{Keys: keys.Source(), Exchange: work.Exchange})
				})
			}
		})
		close(answers)
		<-written
	}
	testing.Init()
	os.Args = os.Args[:1] // for the flags of testing
	if err := flag.CommandLine.Parse([]string{"-test.parallel", strconv.Itoa(max(work.Parallel, 1)), "-test.timeout", "0"}); err != nil {
		panic(err) // these are flags of testing
	}
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = null // where testing reports
	}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "virtual", F: test}}, nil, nil)
}

func virtualOne(t *testing.T, n int, f file, o Options) answer {
	a := answer{N: n}
	s, err := format.ParseAs(f.Name, f.Text, f.As)
	if err == nil {
		a.Result, err = virtually(context.Background(), t, s, o)
	}
	if err == nil && o.Exchange {
		var b bytes.Buffer
		err = gob.NewEncoder(&b).Encode(a.Result.Exchange)
		a.Exchange = b.Bytes()
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}
