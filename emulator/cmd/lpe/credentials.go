package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/phone-edition/lpe/emulator/secret"
)

const maxPINFile = 1024

// askPIN reads a PIN from the terminal without echo.
func askPIN(prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return "", errors.New("standard input is no terminal")
	}
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	text, err := term.ReadPassword(fd)
	return string(text), err
}

// readPIN takes the PIN from the flag, a file, the environment or the terminal, in this order.
func readPIN(sys system, flag, file string) (secret.Value, error) {
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
	text, err := sys.askPIN("PIN: ")
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
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	if info.Size() > maxPINFile {
		return "", fmt.Errorf("%s has %d bytes, a PIN is up to 24 digits", path, info.Size())
	}
	text, err := os.ReadFile(path)
	return string(text), err
}
