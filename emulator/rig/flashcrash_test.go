package rig_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/rig"
)

// crash is how a process ends at a write of its flash. The environment carries it from the test to that process.
type crash struct {
	dir string // of flash, lab and keys
	nth int    // write, 0: none
	how string // of hows
}

// hows are the ends of a process: when a new file is to be written, when it is to be flushed, when it is to take the old
// one's place, and when it has.
var hows = []string{"write", "flush", "rename", "after"}

const crashVariable = "LPE_TEST_FLASH_CRASH"

func (c crash) String() string { return fmt.Sprintf("%d %s %s", c.nth, c.how, c.dir) }

func wantedCrash() (c crash, wanted bool) {
	_, err := fmt.Sscanf(os.Getenv(crashVariable), "%d %s %s", &c.nth, &c.how, &c.dir)
	return c, err == nil
}

func (c crash) flash() handset.FlashDir { return handset.FlashDir(filepath.Join(c.dir, "flash")) }

// crashingFlash ends the process at a write.
type crashingFlash struct {
	handset.FlashDir
	crash
	t      *testing.T
	writes int
}

func (f *crashingFlash) Save(flash devicestate.Flash) error {
	f.writes++
	if f.writes != f.nth {
		return f.FlashDir.Save(flash)
	}
	if f.how != "after" {
		dieWithin(f.t, f.how)
	}
	if err := f.FlashDir.Save(flash); err != nil {
		f.t.Error(err)
	}
	kill(f.t)
	return nil
}

// kill ends this process as the power does.
func kill(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Kill(); err != nil {
		t.Fatal(err)
	}
	select {}
}

// boot is one boot in virtual time with the flash, lab and keys of the directory. save keeps flash.
func (c crash) boot(t *testing.T, save func(handset.FlashDir) handset.FlashStore, check func(*setting, *rig.Run)) {
	t.Helper()
	keys := c.keys(t)
	inVirtualTime(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Flash, s.LabState, s.HandsetKey, s.PoolKey = save(c.flash()), filepath.Join(c.dir, "lab.json"), keys, keys
		run := s.start()
		s.wantSuccess(run.Boot(context.Background()))
		check(s, run)
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
}

// keys are those of a file that is made once.
func (c crash) keys(t *testing.T) func(int) (*rsa.PrivateKey, error) {
	t.Helper()
	path := filepath.Join(c.dir, "keys.pem")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		source := prepared.Source()
		for range 6 {
			key, err := source(2048)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})...)
		}
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []*rsa.PrivateKey
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, key)
	}
	used := 0
	return func(int) (*rsa.PrivateKey, error) {
		used++
		return list[(used-1)%len(list)], nil
	}
}

// TestFlashWrites boots with a flash directory. As the process that [TestFlashKilledAtEveryWrite] starts it ends at one of
// the writes.
func TestFlashWrites(t *testing.T) {
	c, wanted := wantedCrash()
	if !wanted {
		c.dir = t.TempDir()
	}
	var flash *crashingFlash
	c.boot(t, func(dir handset.FlashDir) handset.FlashStore {
		flash = &crashingFlash{FlashDir: dir, crash: c, t: t}
		return flash
	}, func(s *setting, run *rig.Run) {
		if wanted {
			run.Handset.Do(devicestate.SignOut) // the last write
			run.Handset.Run(context.Background(), func(m devicestate.Machine) bool { return m.State == devicestate.SignIn })
		}
	})
	if wanted {
		t.Fatalf("after %d writes the process lives", flash.writes)
	}
	if flash.writes != writesOfABoot {
		t.Errorf("%d writes in a cold boot, want %d", flash.writes, writesOfABoot)
	}
}

// writesOfABoot are clock, chain, identity, certificate, registrar and update URL; sign-out is one more.
const writesOfABoot = 6

// TestFlashKilledAtEveryWrite starts a process that boots cold and signs out, and ends it at each write of flash, within it
// and after it. What is in flash then is whole, and the next boot gets to Ready with it.
func TestFlashKilledAtEveryWrite(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for nth := 1; nth <= writesOfABoot+1; nth++ {
		for _, how := range hows {
			t.Run(fmt.Sprintf("%d %s", nth, how), func(t *testing.T) {
				c := crash{dir: t.TempDir(), nth: nth, how: how}
				c.keys(t)
				child := exec.Command(self, "-test.run=^TestFlashWrites$")
				child.Env = append(os.Environ(), crashVariable+"="+c.String())
				if out, err := child.CombinedOutput(); err == nil || strings.Contains(string(out), "--- FAIL") {
					t.Fatalf("the process ended with %v\n%s", err, out)
				}
				left := names(t, string(c.flash()))
				if cut := slices.ContainsFunc(left, func(name string) bool { return strings.Contains(name, ".new.") }); cut != (how != "after") {
					t.Errorf("left are %q", left)
				}
				f, err := c.flash().Load()
				if err != nil {
					t.Fatalf("flash: %v", err)
				}
				saved := nth - 1
				if how == "after" {
					saved = nth
				}
				if got := progress(f); got != saved {
					t.Errorf("flash is that of write %d, want %d: %+v", got, saved, f)
				}
				c.boot(t, func(dir handset.FlashDir) handset.FlashStore { return dir }, func(s *setting, _ *rig.Run) {
					if n := len(s.path()); n == 0 {
						t.Error("no boot")
					}
				})
				if left := names(t, string(c.flash())); !slices.Equal(left, []string{"flash.json", "lock"}) {
					t.Errorf("after the next boot there are %q", left)
				}
			})
		}
	}
}

// progress is how many writes of a cold boot, and then of a sign-out, a flash has in it.
func progress(f devicestate.Flash) int {
	steps := []bool{f.ClockKept, len(f.Chain) > 0, f.PINForm != "", f.EPID != "", f.Registrar != "", f.UpdateURL != ""}
	n := 0
	for n < len(steps) && steps[n] {
		n++
	}
	if n == len(steps) && f.SIPAddress == "" {
		n++
	}
	return n
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// TestFlashDirIsOneRuns: two runs do not share a flash directory.
func TestFlashDirIsOneRuns(t *testing.T) {
	dir := handset.FlashDir(t.TempDir())
	first := newSetting(t, "litware", rig.DefaultProfile)
	first.Flash = dir
	run := first.start()
	second := newSetting(t, "litware", rig.DefaultProfile)
	second.Flash = dir
	var computer *rig.ComputerError
	if other, err := rig.Start(second.Options); !errors.As(err, &computer) || !strings.Contains(err.Error(), "another process uses it") {
		t.Errorf("%v, %v", other, err)
	}
	if err := run.Close(); err != nil {
		t.Error(err)
	}
	again, err := rig.Start(second.Options)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
