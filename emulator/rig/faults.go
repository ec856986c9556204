package rig

import "github.com/phone-edition/lpe/emulator/labpool/faults"

// CheckFaults refuses a fault that faults.yaml does not list, or a parameter that it does not take.
func CheckFaults(list []string) error {
	for _, text := range list {
		if _, _, err := faults.Known(text); err != nil {
			return err
		}
	}
	return nil
}
