package rig

import (
	"fmt"

	"github.com/phone-edition/lpe/configs"
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
	known, err := configs.Faults()
	if err != nil {
		return err
	}
	byName := map[string]configs.Fault{}
	for _, fault := range known {
		byName[fault.Name] = fault
	}
	for _, text := range list {
		fault, err := faults.Parse(text)
		if err != nil {
			return err
		}
		entry, ok := byName[fault.Name]
		if !ok {
			return fmt.Errorf("fault %s is not known, see --list-faults", fault.Name)
		}
		switch {
		case entry.SignIn != "" && signIn != "" && entry.SignIn != signIn:
			return fmt.Errorf("fault %s is met at a sign-in by %s only", fault.Name, map[string]string{"pin": "PIN", "password": "password"}[entry.SignIn])
		case fault.Param.Duration != 0 && entry.Parameter != "duration":
			return fmt.Errorf("fault %s takes no duration", fault.Name)
		case fault.Param.Times != 0 && entry.Parameter != "times":
			return fmt.Errorf("fault %s takes no number of times", fault.Name)
		}
	}
	return nil
}
