package main

import (
	"context"
	"fmt"
	"io"

	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

// maxNotification is the largest body of a notification, in bytes.
const maxNotification = 60 << 10

// newPIN takes a PIN that is to be set from a file, the terminal or standard input, in this order.
func newPIN(ctx context.Context, sys system, file string) (secret.Value, error) {
	if file != "" {
		text, err := readSecretFile(file)
		if err != nil {
			return secret.Value{}, usage("--pin-file: %w", err)
		}
		return checkPIN(text)
	}
	text, err := sys.askSecret(ctx, "New PIN: ")
	if ctx.Err() != nil {
		return secret.Value{}, ctx.Err()
	}
	if err != nil { // no terminal
		if text, err = readInput(ctx, sys, maxSecretFile); err != nil {
			return secret.Value{}, err
		}
	}
	return checkPIN(text)
}

// readInput reads standard input to its end.
func readInput(ctx context.Context, sys system, most int64) (string, error) {
	type input struct {
		text []byte
		err  error
	}
	inputs := make(chan input, 1)
	go func() { // ends with the process if the input does not
		text, err := io.ReadAll(io.LimitReader(sys.in, most+1))
		inputs <- input{text, err}
	}()
	select {
	case in := <-inputs:
		switch {
		case in.err != nil:
			return "", lacking(fmt.Errorf("standard input: %w", in.err))
		case int64(len(in.text)) > most:
			return "", usage("standard input has more than %d bytes", most)
		}
		return string(in.text), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// readBody reads a file, - for standard input, or nothing if there is no name.
func readBody(ctx context.Context, sys system, file string) (string, error) {
	switch file {
	case "":
		return "", nil
	case "-":
		return readInput(ctx, sys, maxNotification)
	}
	text, err := wholefile.Read(file, maxNotification)
	if err != nil {
		return "", usage("--body-file: %w", err)
	}
	return string(text), nil
}
