package rig

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// ErrNoFullFlash says that there is nothing to compare a wiped handset with.
var ErrNoFullFlash = errors.New("the flash holds no sign-in to compare with: boot with it once while all is well")

// Watch watches one of several boots.
type Watch func(what string) (observe func(timeline.Observation), ended func(report.Result))

// CompareWarm boots a handset with full flash and then one that is wiped, otherwise alike. The full flash is that of o;
// in a lab, if o has none, a boot without faults fills one first. The flash of o stays as it is. The wiped handset has
// a MAC address of its own, and so is another endpoint: it does not replace the certificate of the one with full flash.
// watch is called before each boot and returns the boot's observer and what is called with its result.
func CompareWarm(ctx context.Context, o Options, watch Watch) (report.Comparison, error) {
	full, err := copyFlash(o.Flash)
	if err != nil {
		return report.Comparison{}, err
	}
	if o.Lab != nil && o.LabState == "" { // the second pool has to know the first one's handset
		dir, err := os.MkdirTemp("", "lpe-lab-")
		if err != nil {
			return report.Comparison{}, &ComputerError{err}
		}
		defer os.RemoveAll(dir)
		o.LabState = filepath.Join(dir, "lab.json")
	}
	if held := full.Memory(); !held.Registrar || !held.Certificate {
		if o.Lab == nil {
			return report.Comparison{}, ErrNoFullFlash
		}
		if full, err = fill(ctx, o, watch); err != nil {
			return report.Comparison{}, err
		}
	}
	warmFlash, coldFlash := &handset.MemoryFlash{}, &handset.MemoryFlash{}
	blank := devicestate.Flash{Version: devicestate.FlashVersion, Refused: full.Refused}
	if err := errors.Join(warmFlash.Save(full), coldFlash.Save(blank)); err != nil {
		return report.Comparison{}, err
	}
	warm, err := once(ctx, o, warmFlash, "full flash", watch)
	if err != nil {
		return report.Comparison{}, err
	}
	if o.MAC, err = o.sibling(); err != nil {
		return report.Comparison{}, err
	}
	cold, err := once(ctx, o, coldFlash, "wiped", watch)
	if err != nil {
		return report.Comparison{}, err
	}
	wiped, err := coldFlash.Load()
	if err != nil {
		return report.Comparison{}, err
	}
	var differences []report.Difference
	if len(wiped.Chain) > 0 {
		differences = append(differences, report.Difference{What: "root", Warm: roots(full.Chain), Cold: roots(wiped.Chain)})
	}
	return report.Compare(warm, cold, differences), nil
}

func copyFlash(store handset.FlashStore) (devicestate.Flash, error) {
	if store == nil {
		return devicestate.Flash{}, nil
	}
	return store.Load()
}

// fill boots in the lab as it is without faults.
func fill(ctx context.Context, o Options, watch Watch) (devicestate.Flash, error) {
	o.Faults, o.Further = nil, nil
	flash := &handset.MemoryFlash{}
	result, err := once(ctx, o, flash, "a boot without faults fills the flash", watch)
	if err != nil {
		return devicestate.Flash{}, err
	}
	if result.Result != report.Success && ctx.Err() == nil {
		return devicestate.Flash{}, fmt.Errorf("the handset does not sign in to the lab without faults either: %s: %s", result.Code, result.Diagnosis)
	}
	return flash.Load()
}

// once boots with the flash and ends the run.
func once(ctx context.Context, o Options, flash handset.FlashStore, what string, watch Watch) (report.Result, error) {
	observe, ended := watch(what)
	o.Flash, o.Observers = flash, append(slices.Clone(o.Observers), observe)
	run, err := Start(o)
	if err != nil {
		return report.Result{}, err
	}
	result := run.Boot(ctx)
	ended(result)
	return result, run.Close()
}

// sibling is the handset's MAC address with another last bit.
func (o Options) sibling() (net.HardwareAddr, error) {
	mac, err := o.HandsetMAC()
	if err != nil {
		return nil, err
	}
	mac = slices.Clone(mac)
	mac[len(mac)-1] ^= 1
	return mac, nil
}

// roots names the self-signed certificates of a chain with the beginning of their SHA-256 fingerprints.
func roots(chain [][]byte) string {
	var out []string
	for _, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil || string(c.RawSubject) != string(c.RawIssuer) {
			continue
		}
		sum := sha256.Sum256(der)
		out = append(out, fmt.Sprintf("%s (SHA-256 %X…)", c.Subject, sum[:6]))
	}
	return strings.Join(out, ", ")
}
