package handset

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

// FlashStore keeps a handset's flash.
type FlashStore interface {
	Load() (devicestate.Flash, error) // the zero Flash if nothing was ever saved
	Save(devicestate.Flash) error     // whole or not at all
}

// FlashError means that the computer does not keep what the handset puts into its flash.
type FlashError struct{ Err error }

func (e *FlashError) Error() string { return "flash: " + e.Err.Error() }
func (e *FlashError) Unwrap() error { return e.Err }

// MemoryFlash is a flash that ends with the process.
type MemoryFlash struct{ flash devicestate.Flash }

// Load returns what was saved last.
func (m *MemoryFlash) Load() (devicestate.Flash, error) { return m.flash, nil }

// Save keeps f.
func (m *MemoryFlash) Save(f devicestate.Flash) error { m.flash = f; return nil }

const (
	flashName    = "flash.json"
	maxFlashSize = 1 << 20
)

// FlashDir is a flash in a directory of the computer: one file of mode 0600, replaced as a whole. Whatever ends the
// process or the computer, the file is the one saved last or the one before; [FlashDir.Lock] removes what is left of the
// other.
type FlashDir string

// Load reads the file. An absent file is an empty flash; a damaged one is an error, never an empty flash.
func (d FlashDir) Load() (devicestate.Flash, error) {
	var f devicestate.Flash
	path := filepath.Join(string(d), flashName)
	text, err := wholefile.Read(path, maxFlashSize)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return devicestate.Flash{}, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if err := f.Migrate(); err != nil {
		return devicestate.Flash{}, fmt.Errorf("%s has %w", path, err)
	}
	if err := checkContent(f); err != nil {
		return devicestate.Flash{}, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return f, nil
}

// Lock makes the directory this process's own until the lock is closed.
func (d FlashDir) Lock() (io.Closer, error) { return wholefile.Lock(string(d)) }

// Check reports why the directory cannot be a handset's flash.
func (d FlashDir) Check() error {
	if err := wholefile.Writable(string(d)); err != nil {
		return err
	}
	_, err := d.Load()
	return err
}

// checkContent parses what the handset will use as it is.
func checkContent(f devicestate.Flash) error {
	for _, der := range f.Chain {
		if _, err := x509.ParseCertificate(der); err != nil {
			return fmt.Errorf("chain: %w", err)
		}
	}
	if len(f.Certificate) > 0 {
		if _, err := x509.ParseCertificate(f.Certificate); err != nil {
			return fmt.Errorf("certificate: %w", err)
		}
		if _, err := x509.ParsePKCS8PrivateKey(f.Key); err != nil {
			return fmt.Errorf("key: %w", err)
		}
	}
	if _, err := url.Parse(f.CertificateURL); err != nil {
		return fmt.Errorf("certificate URL: %w", err)
	}
	return nil
}

// Save replaces the file.
func (d FlashDir) Save(f devicestate.Flash) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.Write(filepath.Join(string(d), flashName), text)
}
