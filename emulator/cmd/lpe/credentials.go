package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

const maxSecretFile = 1024

// maxPassword is Windows' own bound, in characters of UTF-16.
const maxPassword = 256

// askSecret reads a PIN or a password from the terminal without echo. When ctx ends the echo is back.
func askSecret(ctx context.Context, prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", errors.New("standard input is no terminal")
	}
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // ends with the process if the user does not answer
		text, err := term.ReadPassword(fd)
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return string(a.text), a.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}

// readPIN takes the PIN from the flag, a file, the environment or the terminal, in this order.
func readPIN(ctx context.Context, sys system, flag, file string) (secret.Value, error) {
	if flag != "" && file != "" {
		return secret.Value{}, usage("give --pin or --pin-file, not both")
	}
	if flag != "" {
		return checkPIN(flag)
	}
	from := source{"--pin-file", "LPE_PIN", "PIN: ", "a number needs a PIN: give --pin-file, LPE_PIN or --pin"}
	text, err := from.read(ctx, sys, file)
	if err != nil {
		return secret.Value{}, err
	}
	return checkPIN(text)
}

// readPassword takes the password from a file, the environment or the terminal, in this order.
func readPassword(ctx context.Context, sys system, file string) (secret.Value, error) {
	from := source{"--password-file", "LPE_PASSWORD", "Password: ", "a user needs a password: give --password-file or LPE_PASSWORD"}
	text, err := from.read(ctx, sys, file)
	if err != nil {
		return secret.Value{}, err
	}
	return checkPassword(text)
}

// source is where a secret comes from: the file of a flag, a variable, or what is typed after the prompt.
type source struct{ flag, variable, prompt, missing string }

func (s source) read(ctx context.Context, sys system, file string) (string, error) {
	if file != "" {
		text, err := readSecretFile(file)
		if err != nil {
			return "", usage("%s: %w", s.flag, err)
		}
		return text, nil
	}
	if text := sys.env(s.variable); text != "" {
		return text, nil
	}
	text, err := sys.askSecret(ctx, s.prompt)
	if ctx.Err() != nil {
		return "", &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	}
	if err != nil {
		return "", usage("%s (%w)", s.missing, err)
	}
	return text, nil
}

// checkPassword takes the text without the end of its line: blanks belong to a password.
func checkPassword(text string) (secret.Value, error) {
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case !utf8.ValidString(text):
		return secret.Value{}, usage("the password is not UTF-8 text")
	case text == "" || len(utf16.Encode([]rune(text))) > maxPassword || strings.ContainsFunc(text, unicode.IsControl):
		return secret.Value{}, usage("a password is one line of 1 to %d characters", maxPassword)
	}
	return secret.New(text), nil
}

func readSecretFile(path string) (string, error) {
	text, err := wholefile.ReadPrivate(path, maxSecretFile)
	return string(text), err
}
