package wholefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrLocked means that another process uses a directory.
var ErrLocked = errors.New("another process uses it")

// Lock makes a directory this process's own until the lock is closed or the process ends, however it ends, and removes
// what interrupted writes have left in it. The directory is made with mode 0700 if it does not exist. Where the system
// has no such locks nothing is locked.
func Lock(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if err := sweep(dir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// sweep removes the new files that were not renamed over old ones.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if name := entry.Name(); entry.Type().IsRegular() && strings.Contains(name, newMark) {
			errs = append(errs, os.Remove(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}
