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

// packets is how many of them are taken from the system, and given to it, with one call each: recvmmsg(2), sendmmsg(2).
const packets = 64

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
	var n, first, answers int
	var errno syscall.Errno
	receive := func(fd uintptr) bool {
		n, errno = call(unix.SYS_RECVMMSG, fd, m.in[:])
		return errno != unix.EAGAIN
	}
	send := func(fd uintptr) bool {
		n, errno = call(unix.SYS_SENDMMSG, fd, m.out[first:answers])
		return errno != unix.EAGAIN
	}
	for failed := 0; ; {
		for i := range m.in {
			m.in[i].Namelen = unix.SizeofSockaddrInet6
		}
		err := raw.Read(receive)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err == nil && errno != 0:
			err = os.NewSyscallError("recvmmsg", errno)
		}
		if err != nil {
			if failed++; failed == maxErrors {
				return fmt.Errorf("reading from UDP: %w", err)
			}
			continue
		}
		failed, first, answers = 0, 0, 0
		for i := range m.in[:n] {
			in := &m.in[i]
			from, ok := m.sender(i)
			if !ok || in.Flags&unix.MSG_TRUNC != 0 {
				continue
			}
			if h.AnswerLater(m.received[i][:in.size], from, c) {
				continue
			}
			out := &m.out[answers]
			size := len(h.answer(w, m.answers[answers][:0], m.received[i][:in.size], from))
			if size == 0 {
				continue
			}
			m.outs[answers].SetLen(size)
			out.Name, out.Namelen = in.Name, in.Namelen
			answers++
		}
		for first < answers {
			if raw.Write(send) != nil {
				break // closed: reading tells
			}
			if errno != 0 {
				n = 1 // what cannot be sent gets lost, as UDP may
			}
			first += n
		}
	}
}

func call(number, fd uintptr, messages []mmsghdr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.Syscall6(number, fd, uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), 0, 0, 0)
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
