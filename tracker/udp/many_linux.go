package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// packets is how many of them are taken from the system with one call: recvmmsg(2).
	packets = 64
	// sending is how many are given to it with one: sendmmsg(2). It takes some microseconds for each, during which the
	// garbage collector may have to wait.
	sending = 16
)

// mmsghdr is the system's: a message, and how long it became.
type mmsghdr struct {
	unix.Msghdr
	size uint32
}

// many is room for that many packets and their answers. The headers point to the buffers behind them, those of answers
// to the addresses of what they answer.
type many struct {
	in, out  [packets]mmsghdr
	from     [packets]unix.RawSockaddrInet6 // also IPv4's, which is shorter
	ins      [packets]unix.Iovec
	outs     [packets]unix.Iovec
	received [packets][maxPacket]byte
	answers  [packets][maxAnswer]byte
}

func newMany() *many {
	m := new(many)
	for i := range m.in {
		m.ins[i].Base, m.outs[i].Base = &m.received[i][0], &m.answers[i][0]
		m.ins[i].SetLen(maxPacket)
		m.in[i].Name, m.in[i].Iov, m.out[i].Iov = (*byte)(unsafe.Pointer(&m.from[i])), &m.ins[i], &m.outs[i]
		m.in[i].Namelen = unix.SizeofSockaddrInet6
		m.in[i].SetIovlen(1)
		m.out[i].SetIovlen(1)
	}
	return m
}

// serveMany is Serve for the system's own sockets.
func (h *Handler) serveMany(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	m, w := newMany(), new(work)
	var failed, answers, sent int
	var errno syscall.Errno
	send := func(fd uintptr) bool {
		for sent < answers {
			n, errno := call(unix.SYS_SENDMMSG, fd, m.out[sent:min(answers, sent+sending)])
			switch errno {
			case 0:
				sent += n
			case unix.EAGAIN:
				return false
			default:
				sent++ // what cannot be sent gets lost, as UDP may
			}
		}
		return true
	}
	turn := func(fd uintptr) bool {
		var n int
		if n, errno = call(unix.SYS_RECVMMSG, fd, m.in[:]); errno != 0 {
			return errno != unix.EAGAIN
		}
		failed, answers, sent = 0, h.answerMany(m, w, n, c), 0
		if answers > 0 && raw.Write(send) != nil {
			return true // closed, as the next Read tells
		}
		// So few were all there were. To say so, without asking once more, is safe within one Read: it forgets nothing
		// that has come since.
		return n == packets
	}
	for {
		err := raw.Read(turn)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err == nil && errno != 0:
			err = os.NewSyscallError("recvmmsg", errno)
		}
		if err == nil {
			continue
		}
		if failed++; failed == maxErrors {
			return fmt.Errorf("reading from UDP: %w", err)
		}
	}
}

// answerMany answers the first n packets, and returns how many answers there are to be sent.
func (h *Handler) answerMany(m *many, w *work, n int, c *net.UDPConn) (answers int) {
	for i := range m.in[:n] {
		in, out := &m.in[i], &m.out[answers]
		from, ok := m.sender(i)
		out.Name, out.Namelen = in.Name, in.Namelen
		in.Namelen = unix.SizeofSockaddrInet6
		packet := m.received[i][:in.size]
		if !ok || in.Flags&unix.MSG_TRUNC != 0 || h.AnswerLater(packet, from, c) {
			continue
		}
		if size := len(h.answer(w, m.answers[answers][:0], packet, from)); size > 0 {
			m.outs[answers].SetLen(size)
			answers++
		}
	}
	return answers
}

// call never waits, so Go's scheduler is not told of it. It would give the processor to another thread whenever a call
// takes some microseconds, as most do, and take it back: a fifth of the price of an announce.
func call(number, fd uintptr, messages []mmsghdr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(number, fd, uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// sender is where packet i came from.
func (m *many) sender(i int) (netip.AddrPort, bool) {
	a := &m.from[i]
	port := (*[2]byte)(unsafe.Pointer(&a.Port)) // big-endian in both families, and at the same place
	switch a.Family {
	case unix.AF_INET:
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), uint16(port[0])<<8|uint16(port[1])), true
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(port[0])<<8|uint16(port[1])), true
	}
	return netip.AddrPort{}, false
}
