package testnet

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refused is set in processes in which calls are.
const refused = "STARLING_TEST_REFUSED"

// Refused runs the test that calls it in a process of its own in which the kernel refuses a system call, as a sandbox or a
// file system does: with this error, and only where its first argument is this one, unless that is negative. It says
// whether this is that process, in which what is to be tested is to run.
func Refused(t *testing.T, call, first int, why syscall.Errno) bool {
	t.Helper()
	if os.Getenv(refused) != "" {
		if err := refuse(call, first, why); err != nil {
			t.Skipf("SKIPPED: system calls cannot be refused: %v", err)
		}
		return true
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v") // it is for a process as a whole
	child.Env = append(os.Environ(), refused+"=1")
	if said, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	return false
}

func refuse(call, first int, why syscall.Errno) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	unless := func(k int, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(k), Jf: skip}
	}
	filter := []unix.SockFilter{load(0), unless(call, 1)}
	if first >= 0 {
		filter = []unix.SockFilter{load(0), unless(call, 3), load(16), unless(first, 1)}
	}
	filter = append(filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(why)},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return errno
	}
	return nil
}
