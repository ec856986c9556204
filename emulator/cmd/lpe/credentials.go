package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/phone-edition/lpe/emulator/secret"
)

const maxPINFile = 1024

// askPIN reads a PIN from the terminal without echo. When ctx ends the echo is back.
func askPIN(ctx context.Context, prompt string) (string, error) {
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
	if file != "" {
		text, err := readPINFile(file)
		if err != nil {
			return secret.Value{}, usage("--pin-file: %w", err)
		}
		return checkPIN(text)
	}
	if text := sys.env("LPE_PIN"); text != "" {
		return checkPIN(text)
	}
	text, err := sys.askPIN(ctx, "PIN: ")
	if ctx.Err() != nil {
		return secret.Value{}, &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	}
	if err != nil {
		return secret.Value{}, usage("a number needs a PIN: give --pin-file, LPE_PIN or --pin (%w)", err)
	}
	return checkPIN(text)
}

func checkPIN(text string) (secret.Value, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 24 || strings.Trim(text, "0123456789") != "" {
		return secret.Value{}, usage("a PIN is 1 to 24 digits")
	}
	return secret.New(text), nil
}

func readPINFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: a regular file expected", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	if info.Size() > maxPINFile {
		return "", fmt.Errorf("%s has %d bytes, a PIN is up to 24 digits", path, info.Size())
	}
	text, err := os.ReadFile(path)
	return string(text), err
}
