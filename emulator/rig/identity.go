package rig

import (
	"crypto/sha256"
	"net"
	"strings"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/secret"
)

// DefaultProfile is the profile of a boot that names none.
const DefaultProfile = "polycom-cx600-4.0.7577.4463"

// FirstUser returns the credentials of the lab's first user.
func FirstUser(lab *configs.Lab) handset.Credentials {
	user := lab.Users[0]
	return handset.Credentials{Number: strings.TrimPrefix(directoryNumber(user), "+"), PIN: secret.New(user.PIN)}
}

// directoryNumber is the number of a LineURI, without tel: and parameters.
func directoryNumber(user configs.User) string {
	number, _, _ := strings.Cut(strings.TrimPrefix(user.LineURI, "tel:"), ";")
	return number
}

// userOf finds the lab's user that number dials: the whole number with or without plus, or the extension.
func userOf(lab *configs.Lab, number string) (configs.User, bool) {
	number = strings.TrimPrefix(number, "+")
	for _, user := range lab.Users {
		_, extension, _ := strings.Cut(user.LineURI, ";ext=")
		if full := strings.TrimPrefix(directoryNumber(user), "+"); number == full && full != "" || number == extension && extension != "" {
			return user, true
		}
	}
	return configs.User{}, false
}

// macFor derives a stable MAC address: the model's OUI and three bytes of a hash of profile model and the directory
// number that is dialled, so that each way of writing the number is the same handset.
func macFor(profile *configs.Profile, lab *configs.Lab, number string) (net.HardwareAddr, error) {
	if user, ok := userOf(lab, number); ok {
		number = directoryNumber(user)
	}
	mac, err := net.ParseMAC(profile.OUI + ":00:00:00")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(profile.Model + "\x00" + number))
	copy(mac[3:], sum[:3])
	return mac, nil
}
