package authority

import (
	"crypto/tls"
	"sync"

	"github.com/phone-edition/lpe/emulator/labpool/faults"
)

// Presented is what a server of the given names presents while the faults of its stage are as they are:
// stage=wildcard-certificate, certificate-expired, certificate-not-yet-valid, certificate-wrong-name or
// untrusted-chain, else the good certificate. Each is issued once, when it is first asked for.
func (a *Authority) Presented(names []string, active *faults.Set, stage string) func() (tls.Certificate, error) {
	var mu sync.Mutex
	issued := map[ServerOptions]tls.Certificate{}
	return func() (tls.Certificate, error) {
		o := spoiled(active, stage)
		mu.Lock()
		defer mu.Unlock()
		if c, ok := issued[o]; ok {
			return c, nil
		}
		c, err := a.Server(names, o)
		if err == nil {
			issued[o] = c
		}
		return c, err
	}
}

func spoiled(active *faults.Set, stage string) ServerOptions {
	on := func(kind string) bool {
		_, on := active.On(stage + "=" + kind)
		return on
	}
	switch {
	case on("wildcard-certificate"):
		return ServerOptions{Wildcard: true}
	case on("certificate-expired"):
		return ServerOptions{Expired: true}
	case on("certificate-not-yet-valid"):
		return ServerOptions{NotYetValid: true}
	case on("certificate-wrong-name"):
		return ServerOptions{WrongName: true}
	case on("untrusted-chain"):
		return ServerOptions{Untrusted: true}
	}
	return ServerOptions{}
}
