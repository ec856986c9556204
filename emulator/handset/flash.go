package handset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/phone-edition/lpe/devicestate"
)

// FlashStore keeps a handset's flash.
type FlashStore interface {
	Load() (devicestate.Flash, error) // the zero Flash if nothing was ever saved
	Save(devicestate.Flash) error     // whole or not at all
}

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

// FlashDir is a flash in a directory of the computer: one file of mode 0600, replaced as a whole.
type FlashDir string

// Load reads the file. An absent file is an empty flash; a damaged one is an error, never an empty flash.
func (d FlashDir) Load() (devicestate.Flash, error) {
	var f devicestate.Flash
	path := filepath.Join(string(d), flashName)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if info.Size() > maxFlashSize {
		return f, fmt.Errorf("%s: %d bytes, more than %d", path, info.Size(), maxFlashSize)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return devicestate.Flash{}, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if f.Version != devicestate.FlashVersion {
		return devicestate.Flash{}, fmt.Errorf("%s has version %d, this program reads version %d", path, f.Version, devicestate.FlashVersion)
	}
	return f, nil
}

// Save writes a new file beside the old one, flushes it and renames it over.
func (d FlashDir) Save(f devicestate.Flash) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(string(d), flashName+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(string(d), flashName))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
