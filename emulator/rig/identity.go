package rig

import (
	"crypto/sha256"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

// DefaultProfile is the profile of a boot that names none.
const DefaultProfile = "polycom-cx600-4.0.7577.4463"

// FirstUser returns the credentials of the lab's first user who can sign in to the handset: number and PIN, or login
// and password where the handset takes no PIN.
func FirstUser(lab *configs.Lab, profile *configs.Profile) handset.Credentials {
	for _, user := range lab.Users {
		numbers := configs.LineNumbers(user.LineURI)
		switch {
		case profile.PIN && len(numbers) > 0:
			return handset.Credentials{Number: numbers[0], PIN: secret.New(user.PIN)}
		case !profile.PIN && user.Login != "":
			return handset.Credentials{User: user.Login, Password: secret.New(user.Password)}
		}
	}
	return handset.Credentials{}
}

// userKey stands for the lab's user whom the credentials name: the whole number, with its plus, whether it is dialled
// with or without plus, as the extension, or found by the login. Who has no number is the login, and a number or login
// that nobody has is itself.
func userKey(lab *configs.Lab, c handset.Credentials) string {
	named, known := lab.ByLogin(c.User)
	if c.Number == "" && !known {
		return c.User
	}
	for _, user := range lab.Users {
		numbers := configs.LineNumbers(user.LineURI)
		if len(numbers) > 0 && (known && user.Name == named.Name || slices.Contains(numbers, strings.TrimPrefix(c.Number, "+"))) {
			return "+" + numbers[0]
		}
	}
	if known {
		return named.Login
	}
	return c.Number
}

// HandsetMAC is the handset's address: the one given, else the model's OUI and three bytes that stay the same from run to run.
func (o Options) HandsetMAC() (net.HardwareAddr, error) {
	switch {
	case o.MAC != nil:
		return o.MAC, nil
	case o.Lab != nil: // each way of naming the user is the same handset
		return macFor(o.Profile, userKey(o.Lab, o.Credentials))
	}
	if o.Apart {
		return macFor(o.Profile, machineID(), o.Interface, strings.TrimPrefix(o.Credentials.Number, "+"), strings.ToLower(o.Credentials.User))
	}
	return macFor(o.Profile, machineID(), o.Interface)
}

// macFor is the model's OUI and three bytes of a hash of the model and what tells handsets of that model apart.
func macFor(profile *configs.Profile, parts ...string) (net.HardwareAddr, error) {
	mac, err := net.ParseMAC(profile.OUI + ":00:00:00")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(strings.Join(append([]string{profile.Model}, parts...), "\x00")))
	copy(mac[3:], sum[:3])
	return mac, nil
}

const maxMachineID = 1024

// machineID tells this computer from others: machine-id(5) where there is one, else the computer's name.
func machineID() string {
	if text, err := wholefile.Read("/etc/machine-id", maxMachineID); err == nil {
		if id := strings.TrimSpace(string(text)); id != "" {
			return id
		}
	}
	name, err := os.Hostname()
	if err != nil {
		return "" // then every such computer has the same handset
	}
	return strings.ToLower(name)
}
