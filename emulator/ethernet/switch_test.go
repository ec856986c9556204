package ethernet_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// TestVoiceVLAN puts a pool with one and the same address into the native and into the voice VLAN.
func TestVoiceVLAN(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset := w.station("handset", "10.0.0.1/24", ethernet.Port{Voice: 200})
		data := w.station("data pool", "10.0.0.2/24", ethernet.Port{})
		voice := w.station("voice pool", "10.0.0.2/24", ethernet.Port{Access: 200})
		trunk := w.station("trunk pool", "", ethernet.Port{Trunk: true})
		trunk.SetTag(ethernet.Tag{VLAN: 200, Priority: 3})
		w.address(trunk, "10.0.0.3/24")
		for name, s := range map[string]ethernet.Station{"data": data, "voice": voice, "trunk": trunk} {
			l := w.listen(s, 80)
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					if _, err := c.Write([]byte(name)); err != nil {
						w.Error(err)
					}
					c.Close()
				}
			}()
		}
		ask := func(to string) string {
			b := make([]byte, 16)
			n, err := w.dial(handset, to).Read(b)
			if err != nil {
				w.Fatal(err)
			}
			return string(b[:n])
		}
		if got := ask("10.0.0.2:80"); got != "data" {
			w.Errorf("untagged: %s pool answered", got)
		}
		_, err := handset.DialTCP(w.within(), at("10.0.0.3:80"))
		w.want(err, syscall.EHOSTUNREACH)

		handset.SetTag(ethernet.Tag{VLAN: 200, Priority: 5})
		if got := ask("10.0.0.2:80"); got != "voice" {
			w.Errorf("tagged: %s pool answered", got)
		}
		if got := ask("10.0.0.3:80"); got != "trunk" {
			w.Errorf("tagged: %s pool answered", got)
		}
		for _, f := range w.tap.take(func(f ethernet.TappedFrame) bool { return f.Frame[12] == 0x81 }) {
			tci := uint16(f.Frame[14])<<8 | uint16(f.Frame[15])
			if tci&0xfff != 200 || (f.Direction == ethernet.Sent && f.Station == "handset" && tci>>13 != 5) {
				w.Errorf("%s %s with tag %#04x", f.Station, f.Direction, tci)
			}
			if f.Station == "voice pool" || f.Station == "data pool" {
				w.Errorf("tagged frame at the untagged port of %s", f.Station)
			}
		}
		handset.SetTag(ethernet.Tag{VLAN: 300})
		_, err = handset.DialTCP(w.within(), at("10.0.0.2:80")) // the port is not a member
		w.want(err, syscall.EHOSTUNREACH)
	})
}

func TestIsolatedPorts(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		a := w.station("a", "10.0.0.1/24", ethernet.Port{Isolated: true})
		b := w.station("b", "10.0.0.2/24", ethernet.Port{Isolated: true})
		pool := w.station("pool", "10.0.0.3/24", ethernet.Port{})
		w.listen(b, 80)
		w.listen(pool, 80)
		w.dial(a, "10.0.0.3:80")
		w.dial(b, "10.0.0.3:80")
		_, err := a.DialTCP(w.within(), at("10.0.0.2:80"))
		w.want(err, syscall.EHOSTUNREACH)
	})
}

func lldpFrame(t *testing.T, from string) []byte {
	t.Helper()
	b, err := hex.DecodeString("0180c200000e" + from + "88cc" + "0207" + "04" + from + "0402" + "0731" + "06020078" + "0000")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, make([]byte, 60-len(b))...)
}

func TestLLDPStaysOnItsLink(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		a := w.station("a", "", ethernet.Port{Voice: 200, Isolated: true})
		b := w.station("b", "", ethernet.Port{Isolated: true})
		access, err := w.JoinSwitch(ethernet.StationConfig{Name: "switch", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 0x53}})
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.JoinSwitch(ethernet.StationConfig{Name: "second", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 0x54}}); err == nil {
			w.Error("a second switch joined")
		}
		heard := map[string]ethernet.FrameReceiver{}
		for name, s := range map[string]ethernet.Station{"a": a, "b": b, "switch": access} {
			if heard[name], err = s.Frames(0x88cc); err != nil {
				w.Fatal(err)
			}
		}
		a.SetTag(ethernet.Tag{VLAN: 200}) // LLDP is untagged all the same
		own, others := lldpFrame(t, mac1), lldpFrame(t, "020000000053")
		if err := a.SendFrame(own); err != nil {
			w.Fatal(err)
		}
		if err := access.SendFrame(others); err != nil {
			w.Fatal(err)
		}
		for name, want := range map[string][]byte{"switch": own, "a": others, "b": others} {
			if got, err := heard[name].Receive(w.within()); err != nil || !bytes.Equal(got, want) {
				w.Errorf("%s heard %x, %v, want %x", name, got, err, want)
			}
		}
		if delivered := w.Counters().Delivered; delivered != 3 {
			w.Errorf("%d frames delivered, want 3", delivered)
		}
	})
}

func TestCarrier(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		w.SetCarrier("handset", false)
		handset := w.station("handset", "", ethernet.Port{})
		pool := w.station("pool", "10.0.0.2/24", ethernet.Port{})
		if handset.Carrier() {
			w.Fatal("link on a port without")
		}
		w.address(handset, "10.0.0.1/24")
		w.SetCarrier("handset", true)
		<-handset.CarrierChanged()
		if !handset.Carrier() {
			w.Fatal("no link")
		}
		near, far := w.connect(handset, pool)
		exchange(w, near, far, "before")
		w.SetCarrier("handset", false)
		<-handset.CarrierChanged()
		if _, err := near.Write([]byte("held")); err != nil {
			w.Fatal(err)
		}
		if err := far.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			w.Fatal(err)
		}
		if n, err := far.Read(make([]byte, 8)); err == nil {
			w.Fatalf("%d bytes came without link", n)
		}
		w.SetCarrier("handset", true)
		<-handset.CarrierChanged()
		if err := far.SetReadDeadline(time.Time{}); err != nil {
			w.Fatal(err)
		}
		b := make([]byte, 8)
		if n, err := far.Read(b); err != nil || string(b[:n]) != "held" {
			w.Fatalf("read %q, %v", b[:n], err)
		}
	})
}

func TestFramesOfSixtyBytes(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		a, b := w.station("a", "", ethernet.Port{}), w.station("b", "", ethernet.Port{})
		frames, err := b.Frames(0x88b5)
		if err != nil {
			w.Fatal(err)
		}
		short, err := hex.DecodeString(everybody + mac1 + "88b5" + "01")
		if err != nil {
			w.Fatal(err)
		}
		if err := a.SendFrame(short); err != nil {
			w.Fatal(err)
		}
		got, err := frames.Receive(w.within())
		if err != nil || len(got) != 60 || !bytes.Equal(got[:15], short) {
			w.Errorf("got %x, %v", got, err)
		}
		for _, n := range []int{0, 13, 1519} {
			if err := a.SendFrame(make([]byte, n)); err == nil {
				w.Errorf("a frame of %d bytes was sent", n)
			}
		}
		if err := frames.Close(); err != nil {
			w.Fatal(err)
		}
		_, err = frames.Receive(w.Context())
		w.want(err, net.ErrClosed)
	})
}

func TestJoinRefuses(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		w.station("a", "", ethernet.Port{})
		for name, c := range map[string]ethernet.StationConfig{
			"same name":     {Name: "a", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 9}},
			"short MAC":     {Name: "b", MAC: net.HardwareAddr{2, 0, 0}},
			"group MAC":     {Name: "b", MAC: net.HardwareAddr{3, 0, 0, 0, 0, 9}},
			"VLAN too high": {Name: "b", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 9}, Port: ethernet.Port{Voice: 4095}},
		} {
			if _, err := w.Join(c); err == nil {
				w.Errorf("%s: joined", name)
			}
		}
		if err := w.Close(); err != nil {
			w.Fatal(err)
		}
		_, err := w.Join(ethernet.StationConfig{Name: "late", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 9}})
		w.want(err, net.ErrClosed)
	})
}

// TestImpairmentsAreSeeded sends numbered frames over a bad cable and looks at which arrive, in which order.
func TestImpairmentsAreSeeded(t *testing.T) {
	run := func(seed uint64) (order []byte, c ethernet.Counters) {
		o := ethernet.Options{Impairments: ethernet.Impairments{
			Seed: seed, Delay: 5 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.2, Duplicate: 0.1, Reorder: 0.1,
		}}
		onPipe(t, o, func(w *world) {
			a, b := w.station("a", "", ethernet.Port{}), w.station("b", "", ethernet.Port{})
			frames, err := b.Frames(0x88b5)
			if err != nil {
				w.Fatal(err)
			}
			header, err := hex.DecodeString(everybody + mac1 + "88b5")
			if err != nil {
				w.Fatal(err)
			}
			for i := range byte(200) {
				if err := a.SendFrame(append(header[:14:14], i)); err != nil {
					w.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			for {
				ctx, cancel := context.WithTimeout(w.Context(), time.Second)
				f, err := frames.Receive(ctx)
				cancel()
				if err != nil {
					break
				}
				order = append(order, f[14])
			}
			c = w.Counters()
		})
		return order, c
	}
	first, c := run(1)
	again, _ := run(1)
	other, _ := run(2)
	if !bytes.Equal(first, again) {
		t.Errorf("one seed, two fates:\n%v\n%v", first, again)
	}
	if bytes.Equal(first, other) {
		t.Error("another seed, the same fate")
	}
	if c.Sent != 200 || c.Lost < 20 || c.Lost > 60 || c.Duplicated < 5 || c.Duplicated > 40 || c.Reordered < 5 || c.Reordered > 40 {
		t.Errorf("counted %+v", c)
	}
	if want := c.Sent - c.Lost + c.Duplicated; uint64(len(first)) != want || c.Delivered != want {
		t.Errorf("%d frames arrived, %d delivered, want %d", len(first), c.Delivered, want)
	}
	overtaken := false
	for i := range first[1:] {
		overtaken = overtaken || first[i] > first[i+1]
	}
	if !overtaken {
		t.Error("nothing was overtaken")
	}
}

func TestJitterAloneKeepsTheOrder(t *testing.T) {
	o := ethernet.Options{Impairments: ethernet.Impairments{Seed: 3, Jitter: 50 * time.Millisecond}}
	onPipe(t, o, func(w *world) {
		a, b := w.station("a", "", ethernet.Port{}), w.station("b", "", ethernet.Port{})
		frames, err := b.Frames(0x88b5)
		if err != nil {
			w.Fatal(err)
		}
		header, err := hex.DecodeString(everybody + mac1 + "88b5")
		if err != nil {
			w.Fatal(err)
		}
		for i := range byte(200) {
			if err := a.SendFrame(append(header[:14:14], i)); err != nil {
				w.Fatal(err)
			}
		}
		for i := range byte(200) {
			if f, err := frames.Receive(w.within()); err != nil || f[14] != i {
				w.Fatalf("frame %d: %v, %v", i, f, err)
			}
		}
	})
}
