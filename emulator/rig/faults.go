package rig

import (
	"fmt"

	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
)

// CheckFaults refuses a fault that faults.yaml does not list, a parameter that it does not take, or one that the
// handset never meets because it signs in another way.
func CheckFaults(list []string, c handset.Credentials) error {
	signIn := "" // nobody signs in
	switch {
	case c.User != "":
		signIn = "password"
	case c.Number != "":
		signIn = "pin"
	}
	for _, text := range list {
		_, entry, err := faults.Known(text)
		if err != nil {
			return err
		}
		if entry.SignIn != "" && signIn != "" && entry.SignIn != signIn {
			return fmt.Errorf("fault %s is met at a sign-in by %s only", entry.Name, map[string]string{"pin": "PIN", "password": "password"}[entry.SignIn])
		}
	}
	return nil
}
