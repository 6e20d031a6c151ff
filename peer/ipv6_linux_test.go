package peer

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A machine that has no IPv6 at all, or a service that may not use it, has peers all the same.
func TestWithoutIPv6(t *testing.T) {
	if os.Getenv("STARLING_TEST_NO_IPV6") != "" {
		if err := refuseIPv6(); err != nil {
			t.Skipf("SKIPPED: IPv6 cannot be taken away: %v", err)
		}
		o := Defaults(t.TempDir())
		o.DHT.Enabled, o.LSD = false, false // which would ask others
		p, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Close()
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWithoutIPv6$", "-test.v") // it is for a process as a whole
	child.Env = append(os.Environ(), "STARLING_TEST_NO_IPV6=1")
	if said, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// refuseIPv6 has the kernel make no more sockets for it in this process, as systemd's RestrictAddressFamilies does.
func refuseIPv6() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	unless := func(k uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: skip, K: k}
	}
	filter := []unix.SockFilter{
		load(0), unless(unix.SYS_SOCKET, 3), load(16), unless(unix.AF_INET6, 1), // the call, and its first argument
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return errno
	}
	return nil
}
