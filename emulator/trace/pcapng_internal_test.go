package trace

import (
	"errors"
	"testing"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// disk is full after some bytes.
type disk struct{ room int }

var errFull = errors.New("no space left on device")

func (d *disk) Write(b []byte) (int, error) {
	if len(b) > d.room {
		return 0, errFull
	}
	d.room -= len(b)
	return len(b), nil
}

func (d *disk) Close() error { return nil }

func TestErrorsComeFromClose(t *testing.T) {
	for _, room := range []int{0, 100, 300, 1000} {
		w := newWriter(&disk{room})
		for range 20 {
			w.WriteFrame(ethernet.TappedFrame{Station: "handset", Frame: make([]byte, 60)})
			w.WriteSecrets([]byte("CLIENT_RANDOM 00 01\n"))
		}
		if err := w.Close(); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: got %v", room, err)
		}
	}
}
