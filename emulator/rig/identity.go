package rig

import (
	"crypto/sha256"
	"net"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/secret"
)

// DefaultProfile is the profile of a boot that names none.
const DefaultProfile = "polycom-cx600-4.0.7577.4463"

// FirstUser returns the credentials of the lab's first user who has a number.
func FirstUser(lab *configs.Lab) handset.Credentials {
	for _, user := range lab.Users {
		if numbers := configs.LineNumbers(user.LineURI); len(numbers) > 0 {
			return handset.Credentials{Number: numbers[0], PIN: secret.New(user.PIN)}
		}
	}
	return handset.Credentials{}
}

// directoryNumber is the whole number, with its plus, of the lab's user whom number dials: that number with or without
// plus, or the extension. A number that nobody has is itself.
func directoryNumber(lab *configs.Lab, number string) string {
	for _, user := range lab.Users {
		if numbers := configs.LineNumbers(user.LineURI); slices.Contains(numbers, strings.TrimPrefix(number, "+")) {
			return "+" + numbers[0]
		}
	}
	return number
}

// macFor derives a stable MAC address: the model's OUI and three bytes of a hash of profile model and the directory
// number that is dialled, so that each way of writing the number is the same handset.
func macFor(profile *configs.Profile, lab *configs.Lab, number string) (net.HardwareAddr, error) {
	mac, err := net.ParseMAC(profile.OUI + ":00:00:00")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(profile.Model + "\x00" + directoryNumber(lab, number)))
	copy(mac[3:], sum[:3])
	return mac, nil
}
