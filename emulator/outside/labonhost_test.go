//go:build peers

package outside

import (
	"crypto/rand"
	"crypto/rsa"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
)

const litwareSIP = "sip:kenmyer@litwareinc.com"

// startLitware runs litware's web services and registrar on the namespace's own sockets, ports 80, 443 and 5061 of
// serverIP. All else of a network is somebody else's.
func startLitware(n *namespace, faults ...string) *labpool.Pool {
	n.t.Helper()
	lab, err := configs.LoadLab("litware")
	if err != nil {
		n.t.Fatal(err)
	}
	return startLab(n, lab, faults...)
}

func startLab(n *namespace, lab *configs.Lab, faults ...string) *labpool.Pool {
	n.t.Helper()
	cable := ethernet.NewHost(ethernet.HostOptions{Listen: netip.MustParseAddr(serverIP)})
	var pool *labpool.Pool
	n.do(func() {
		var err error
		pool, err = labpool.Start(labpool.Config{
			Lab: lab, Cable: cable, Services: &labpool.Services{}, Faults: faults, DialledNumber: "1219", NewKey: labKeys.source(),
		})
		if err != nil {
			n.t.Fatal(err)
		}
	})
	n.t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			n.t.Error(err)
		}
		if err := cable.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return pool
}

// keyring keeps RSA keys by their size: making them costs more than boots do.
type keyring struct {
	mu   sync.Mutex
	keys map[int][]*rsa.PrivateKey
}

// Keys of all labs and of all handsets of the tests.
var labKeys, handsetKeys keyring

// source gives one lab, or one handset, keys that differ from each other.
func (k *keyring) source() func(bits int) (*rsa.PrivateKey, error) {
	given := map[int]int{}
	return func(bits int) (*rsa.PrivateKey, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.keys == nil {
			k.keys = map[int][]*rsa.PrivateKey{}
		}
		n := given[bits]
		given[bits]++
		if n == len(k.keys[bits]) {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				return nil, err
			}
			k.keys[bits] = append(k.keys[bits], key)
		}
		return k.keys[bits][n], nil
	}
}

// wantSignedOff wants so many endpoints of litware's first user, each signed off, and as many published certificates.
func wantSignedOff(t *testing.T, pool *labpool.Pool, endpoints int) {
	t.Helper()
	list := pool.Registrars[0].Registrations()
	live := slices.DeleteFunc(slices.Clone(list), func(r registrar.Registration) bool { return r.State == registrar.SignedOff })
	var epids []string
	for _, r := range list {
		epids = append(epids, r.EPID)
	}
	slices.Sort(epids)
	if n := len(slices.Compact(epids)); len(live) > 0 || n != endpoints {
		t.Errorf("the pool knows %d endpoints, want %d signed off: %+v", n, endpoints, list)
	}
	if published := pool.Authority.List(litwareSIP); len(published) != endpoints {
		t.Errorf("%d certificates are published, want %d", len(published), endpoints)
	}
}
