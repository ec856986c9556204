package rig_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

var errDiskFull = errors.New("no space left on device")

// fullFlash is a flash on a disk that has no room once there is a certificate to keep.
type fullFlash struct{ handset.MemoryFlash }

func (f *fullFlash) Save(flash devicestate.Flash) error {
	if len(flash.Certificate) > 0 {
		return errDiskFull
	}
	return f.MemoryFlash.Save(flash)
}

// TestFlashThatCannotBeSaved is the computer's fault, neither the pool's nor this program's.
func TestFlashThatCannotBeSaved(t *testing.T) {
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Flash = &fullFlash{}
		run := s.start()
		result := run.Boot(context.Background())
		if result.Result != report.Failure || result.Code != string(devicestate.CodeNotSaved) || result.State != devicestate.Enroll || result.Stage != devicestate.StageEnroll {
			t.Errorf("%s %s in %s, stage %s\n%s", result.Result, result.Code, result.State, result.Stage, s.log())
		}
		if !strings.Contains(result.Diagnosis, errDiskFull.Error()) || strings.Contains(result.Diagnosis, "bug") {
			t.Errorf("diagnosis %q", result.Diagnosis)
		}
		if _, lacks := errors.AsType[*rig.ComputerError](run.Lacking()); !lacks {
			t.Errorf("lacking %v", run.Lacking())
		}
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestLabThatCannotBeSaved: that the lab's certificates are not kept is told, whatever came of the boot.
func TestLabThatCannotBeSaved(t *testing.T) {
	s := newSetting(t, "litware", rig.DefaultProfile)
	dir := filepath.Join(t.TempDir(), "state")
	s.LabState = filepath.Join(dir, "lab-litware.json")
	run := s.start()
	if err := run.Lacking(); err != nil {
		t.Errorf("before the boot: %v", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // nothing can be written below a file
		t.Fatal(err)
	}
	run.Boot(context.Background())
	if _, lacks := errors.AsType[*rig.ComputerError](run.Lacking()); !lacks {
		t.Errorf("lacking %v\n%s", run.Lacking(), s.log())
	}
	if err := run.Close(); err != nil {
		t.Error(err)
	}
}
