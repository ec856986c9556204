package rig_test

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

// Numbers of seccomp(2) and bpf that package syscall does not have.
const (
	prSetNoNewPrivs    = 38
	seccompModeFilter  = 2
	seccompKillProcess = 0x80000000
	seccompAllow       = 0x7fff0000
)

// dieWithin has the kernel end this process at the next call of this goroutine that writes, flushes or renames a file.
func dieWithin(t *testing.T, how string) {
	t.Helper()
	calls := map[string]uint32{"write": syscall.SYS_WRITE, "flush": syscall.SYS_FSYNC, "rename": syscall.SYS_RENAMEAT}
	filter := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS, K: 0}, // the number of the call
		{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, Jf: 1, K: calls[how]},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: seccompKillProcess},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: seccompAllow},
	}
	program := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread() // the filter is one thread's
	if _, _, err := syscall.Syscall(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0); err != 0 {
		t.Fatal(err)
	}
	if _, _, err := syscall.Syscall(syscall.SYS_PRCTL, syscall.PR_SET_SECCOMP, seccompModeFilter, uintptr(unsafe.Pointer(&program))); err != 0 {
		t.Fatal(err)
	}
}
