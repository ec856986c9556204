package main

import (
	"github.com/phone-edition/lpe/emulator/credentials"
	"github.com/phone-edition/lpe/emulator/secret"
)

// checkPIN never repeats what it refuses.
func checkPIN(text string) (secret.Value, error) {
	pin, err := credentials.CheckPIN(text)
	if err != nil {
		return pin, usage("%w", err)
	}
	return pin, nil
}
