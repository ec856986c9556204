// Package wholefile reads and writes files that hold secrets: mode 0600, bounded, written whole or not at all.
package wholefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Read returns the content of a file of at most limit bytes. An absent file is an error that wraps fs.ErrNotExist.
func Read(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: a regular file expected", path)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes, at most %d", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}

// Writable reports why no file can be written into a directory. The directory is made with mode 0700 if it does not exist.
func Writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".writable.*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// newMark is in the names of new files until they are renamed.
const newMark = ".new."

// Write replaces a file: a new one of mode 0600 beside the old one, flushed and renamed over it, the directory flushed
// too. Whatever ends the process or the computer meanwhile, the file is the old one or the new one. Its directory is
// made with mode 0700 if it does not exist.
func Write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+newMark+"*") // mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	flush(filepath.Dir(path))
	return nil
}

// flush writes the names in a directory to the disk. Windows and some file systems cannot, and do so by themselves.
func flush(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	d.Sync()
	d.Close()
}
