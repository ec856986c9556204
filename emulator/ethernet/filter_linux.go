package ethernet

import (
	"encoding/binary"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// admit has the kernel drop what this computer sends and what is neither for a group nor for a station, so that the
// computer's own traffic is not copied.
func (w *packetWire) admit(stations []macAddress) error {
	program, err := bpf.Assemble(append(incoming(), forStations(stations)...))
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, p := range program {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	attach := &unix.SockFprog{Len: uint16(len(filter)), Filter: unsafe.SliceData(filter)}
	var failed error
	if err := w.raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, attach)
	}); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", failed)
}

// incoming passes over frames that this computer sends.
func incoming() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
}

// forStations passes frames to groups and to the stations.
func forStations(stations []macAddress) []bpf.Instruction {
	const whole = 1<<32 - 1
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 1, SkipTrue: 1},
		bpf.RetConstant{Val: whole},
	}
	for _, mac := range stations {
		program = append(
			program,
			bpf.LoadAbsolute{Off: 2, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(mac[2:]), SkipTrue: 3},
			bpf.LoadAbsolute{Off: 0, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(binary.BigEndian.Uint16(mac[:])), SkipTrue: 1},
			bpf.RetConstant{Val: whole},
		)
	}
	return append(program, bpf.RetConstant{Val: 0})
}
