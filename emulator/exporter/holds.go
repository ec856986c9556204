package exporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"sync"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

const (
	stateVersion = 1
	maxState     = 4 << 20
)

// holds are the PINs that pools have refused. A file may keep them over a restart; it holds no PIN.
type holds struct {
	path string

	mu   sync.Mutex
	list map[string]hold // by user
}

// hold is one refused PIN: which version of its file it was, and the pool's answer.
type hold struct {
	Stamp string           `json:"stamp"`
	Code  devicestate.Code `json:"code"`
}

type holdsFile struct {
	Version int             `json:"version"`
	Held    map[string]hold `json:"held"`
}

// openHolds reads the file if there is one, and makes sure that it can be written. No path, no file.
func openHolds(path string) (*holds, error) {
	h := &holds{path: path, list: map[string]hold{}}
	if path == "" {
		return h, nil
	}
	text, err := wholefile.Read(path, maxState)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("state: %w", err)
	default:
		var f holdsFile
		if err := json.Unmarshal(text, &f); err != nil {
			return nil, fmt.Errorf("state %s is damaged: %w", path, err)
		}
		if f.Version != stateVersion {
			return nil, fmt.Errorf("state %s has version %d, this program reads version %d", path, f.Version, stateVersion)
		}
		maps.Copy(h.list, f.Held)
	}
	if err := h.save(); err != nil {
		return nil, &rig.ComputerError{Err: fmt.Errorf("state: %w", err)}
	}
	return h, nil
}

// get returns the code by which the user's PIN was refused. A file that has changed meanwhile lets it go.
func (h *holds) get(who, stamp string) (devicestate.Code, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	held, ok := h.list[who]
	if !ok || held.Stamp != stamp {
		return "", false
	}
	return held.Code, true
}

// put holds a PIN back. It is held back in memory even if the file cannot be written.
func (h *holds) put(who, stamp string, code devicestate.Code) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list[who] = hold{stamp, code}
	return h.save()
}

// save is called with the lock held, or before anybody else knows h.
func (h *holds) save() error {
	if h.path == "" {
		return nil
	}
	text, err := json.MarshalIndent(holdsFile{stateVersion, h.list}, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.Write(h.path, text)
}
