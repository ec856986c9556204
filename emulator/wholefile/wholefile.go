// Package wholefile reads and writes files that hold secrets: mode 0600, bounded, written whole or not at all.
package wholefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
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

// ReadPrivate is [Read] for a file that only its owner may read. Where the system's files have no mode, any is taken.
func ReadPrivate(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	return Read(path, limit)
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
	file, err := Create(path)
	if err != nil {
		return err
	}
	if _, err := file.Write(text); err != nil {
		return errors.Join(err, file.Discard())
	}
	return file.Commit()
}

// File is the new version of a file while it is written. It takes the place of the old one with [File.Commit], if ever.
type File struct {
	file *os.File
	path string
}

// Create begins a new version of the file, in a directory that exists. That it succeeds means that the file can be
// written, bar a disk that fills up.
func Create(path string) (*File, error) {
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "replace", Path: path, Err: errors.New("it is no regular file")}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+newMark+"*") // mode 0600
	var failed *fs.PathError
	if errors.As(err, &failed) {
		failed.Path = path // that of the new version means nothing to anybody
	}
	if err != nil {
		return nil, err
	}
	return &File{file, path}, nil
}

// Write adds to the new version.
func (f *File) Write(b []byte) (int, error) { return f.file.Write(b) }

// Commit flushes the new version and puts it in the place of the old one. On error nothing is left of the new one.
func (f *File) Commit() error {
	err := errors.Join(f.file.Sync(), f.file.Close())
	if err == nil {
		err = os.Rename(f.file.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.file.Name()))
	}
	flush(filepath.Dir(f.path))
	return nil
}

// Discard gives the new version up; the old one stays.
func (f *File) Discard() error { return errors.Join(f.file.Close(), os.Remove(f.file.Name())) }

// flush writes the names in a directory to the disk. Windows and some file systems cannot, and do so by themselves.
func flush(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	d.Sync()
	d.Close()
}
