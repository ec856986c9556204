package ethernet

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestFilter runs the filter but for its first part, which asks the kernel for the direction of the frame.
func TestFilter(t *testing.T) {
	stations := make([]macAddress, bridgedStations)
	for i := range stations {
		stations[i] = macAddress{2, 0, 0, 0, byte(i >> 8), byte(i)}
	}
	program := append(incoming(), forStations(stations)...)
	if _, err := bpf.Assemble(program); err != nil || len(program) > unix.BPF_MAXINSNS {
		t.Fatalf("%d instructions: %v", len(program), err)
	}
	vm, err := bpf.NewVM(forStations(stations))
	if err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]bool{
		"ffffffffffff": true, "01005e000001": true, "0180c200000e": true, "333300000001": true,
		"020000000000": true, "0200000000ff": true, "020000000080": true,
		"020000000100": false, "030000000001": true, "000000000001": false, "020100000001": false, "020000010001": false,
	} {
		frame := append(decode(t, to), make([]byte, minFrame-6)...)
		n, err := vm.Run(frame)
		if err != nil || (n >= len(frame)) != want {
			t.Errorf("%s: %d bytes, %v, want it to pass: %v", to, n, err, want)
		}
	}
}

func TestReadVirtio(t *testing.T) {
	header := func(flags, gso byte, numbers ...uint16) []byte {
		b := []byte{flags, gso}
		for _, n := range numbers {
			b = binary.NativeEndian.AppendUint16(b, n)
		}
		return append(b, "frame"...)
	}
	for name, c := range map[string]struct {
		b    []byte
		want arrival
	}{
		"plain":      {header(0, 0, 0, 0, 0, 0), arrival{}},
		"unfinished": {header(1, 0, 0, 0, 34, 16), arrival{sumFrom: 34, sumAt: 50}},
		"verified":   {header(2, 0, 0, 0, 34, 16), arrival{verified: true}},
		"TCP":        {header(1, 1, 66, 1448, 34, 16), arrival{sumFrom: 34, sumAt: 50, segment: 1448}},
		"TCP and ECN": {
			header(1, 0x81, 66, 1448, 34, 16), arrival{sumFrom: 34, sumAt: 50, segment: 1448},
		},
	} {
		got := readVirtio(c.b)
		if string(got.frame) != "frame" {
			t.Errorf("%s: frame %q", name, got.frame)
		}
		if got.segment != c.want.segment || got.sumFrom != c.want.sumFrom || got.sumAt != c.want.sumAt || got.verified != c.want.verified {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// auxdata is a control message with a struct tpacket_auxdata.
func auxdata(status uint32, tci, tpid uint16) []byte {
	b := make([]byte, unix.CmsgSpace(auxdataSize))
	at := unix.CmsgLen(0)
	binary.NativeEndian.PutUint32(b[at-4:], unix.PACKET_AUXDATA)
	binary.NativeEndian.PutUint32(b[at-8:], unix.SOL_PACKET)
	if at == 16 {
		binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(auxdataSize)))
	} else {
		binary.NativeEndian.PutUint32(b, uint32(unix.CmsgLen(auxdataSize)))
	}
	binary.NativeEndian.PutUint32(b[at:], status)
	binary.NativeEndian.PutUint16(b[at+16:], tci)
	binary.NativeEndian.PutUint16(b[at+18:], tpid)
	return b
}

func TestReadAuxdata(t *testing.T) {
	const valid = unix.TP_STATUS_VLAN_VALID | unix.TP_STATUS_VLAN_TPID_VALID
	other := auxdata(valid, 1, 0x8100)
	other[unix.CmsgLen(0)-4]++ // another type
	for name, c := range map[string]struct {
		controls []byte
		want     tag
	}{
		"none":          {nil, 0},
		"untagged":      {auxdata(0, 0xa0c8, 0x8100), 0},
		"tagged":        {auxdata(valid, 0xa0c8, 0x8100), 0x8100a0c8},
		"VLAN 0":        {auxdata(valid, 0, 0x8100), 0x81000000},
		"802.1ad":       {auxdata(valid, 0x0064, 0x88a8), 0x88a80064},
		"after another": {append(other, auxdata(valid, 0xa0c8, 0x8100)...), 0x8100a0c8},
		"cut":           {auxdata(valid, 0xa0c8, 0x8100)[:8], 0},
	} {
		if got := readAuxdata(c.controls); got != c.want {
			t.Errorf("%s: got %#x, want %#x", name, got, c.want)
		}
	}
}

func TestUnfitInterfaces(t *testing.T) {
	sysfs := t.TempDir()
	for _, dir := range []string{"eth0", "wlan0/wireless", "wlan1/phy80211"} {
		if err := os.MkdirAll(filepath.Join(sysfs, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		i    net.Interface
		want BridgeErrorKind
	}{
		{net.Interface{Name: "eth0", MTU: 1500}, 0},
		{net.Interface{Name: "eth0", MTU: 9000}, 0},
		{net.Interface{Name: "eth0", MTU: 1499}, NotEthernet},
		{net.Interface{Name: "lo", MTU: 65536, Flags: net.FlagLoopback}, NotEthernet},
		{net.Interface{Name: "tun0", MTU: 1500, Flags: net.FlagPointToPoint}, NotEthernet},
		{net.Interface{Name: "wlan0", MTU: 1500}, Wireless},
		{net.Interface{Name: "wlan1", MTU: 1500}, Wireless},
	} {
		got := unfit(c.i, sysfs)
		if (got == nil) != (c.want == 0) || got != nil && (got.Kind != c.want || !strings.Contains(got.Error(), "--host")) {
			t.Errorf("%s with MTU %d: %v, want %s", c.i.Name, c.i.MTU, got, c.want)
		}
	}
}

// TestBridgeRefusesWithoutPrivilege holds what is refused before a socket is opened.
func TestBridgeRefusesWithoutPrivilege(t *testing.T) {
	for name, want := range map[string]BridgeErrorKind{"lo": NotEthernet, "lpe-none0": NoInterface, "": NoInterface} {
		b, err := NewBridge(name, Options{})
		var e *BridgeError
		if b != nil || !errors.As(err, &e) || e.Kind != want || !strings.Contains(err.Error(), "--host") {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
	var e *BridgeError
	for err, want := range map[error]BridgeErrorKind{
		syscall.EPERM: NoPermission, syscall.EACCES: NoPermission, syscall.EAFNOSUPPORT: NotSupported,
	} {
		if got := noSocket("eth0", err); !errors.As(got, &e) || e.Kind != want || !errors.Is(got, err) {
			t.Errorf("%v: %v, want %s", err, got, want)
		}
	}
}

func TestLinkNews(t *testing.T) {
	const up, running = unix.IFF_UP, unix.IFF_UP | unix.IFF_RUNNING
	about := func(family uint32, index, flags uint32) (b []byte) { // struct ifinfomsg
		b = append(b, byte(family), 0, 1, 0)
		b = binary.NativeEndian.AppendUint32(b, index)
		b = binary.NativeEndian.AppendUint32(b, flags)
		return append(b, 0, 0, 0, 0)
	}
	failed := func(number syscall.Errno) []byte { return binary.NativeEndian.AppendUint32(nil, -uint32(number)) }
	l := &linkNews{name: "eth0", index: 7}
	for name, c := range map[string]struct {
		kind uint16
		body []byte
		ours bool
		want BridgeErrorKind
		seen string
		err  error
	}{
		"link":              {unix.RTM_NEWLINK, about(0, 7, running), true, 0, "", nil},
		"no link":           {unix.RTM_NEWLINK, about(0, 7, up), true, NoCarrier, "has no link", nil},
		"down":              {unix.RTM_NEWLINK, about(0, 7, 0), true, NoCarrier, "is down", nil},
		"removed":           {unix.RTM_DELLINK, about(0, 7, running), true, NoInterface, "was removed", nil},
		"left a bridge":     {unix.RTM_DELLINK, about(unix.AF_BRIDGE, 7, running), false, 0, "", nil},
		"another interface": {unix.RTM_NEWLINK, about(0, 8, running), false, 0, "", nil},
		"another message":   {unix.RTM_NEWADDR, about(0, 7, running), false, 0, "", nil},
		"cut":               {unix.RTM_NEWLINK, about(0, 7, running)[:15], false, 0, "", nil},
		"does not exist":    {unix.NLMSG_ERROR, failed(syscall.ENODEV), true, NoInterface, "was removed", nil},
		"forbidden":         {unix.NLMSG_ERROR, failed(syscall.EPERM), true, 0, "", syscall.EPERM},
		"an error, cut":     {unix.NLMSG_ERROR, failed(syscall.EPERM)[:3], false, 0, "", nil},
	} {
		lost, ours, err := l.read(c.kind, c.body)
		if ours != c.ours || !errors.Is(err, c.err) || (lost != nil) != (c.want != 0) && ours {
			t.Errorf("%s: %v, ours %v, %v", name, lost, ours, err)
		}
		if ours && lost != nil && (lost.Kind != c.want || lost.Seen != c.seen) {
			t.Errorf("%s: %v, want %s", name, lost, c.want)
		}
	}
}
