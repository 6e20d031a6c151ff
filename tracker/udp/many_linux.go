package udp

import (
	"net/netip"
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

// answerMany answers the first n packets, and returns how many answers there are to be sent.
func (h *Handler) answerMany(m *many, w *work, n int, to *socket) (answers int) {
	now := h.ids.now()
	for i := range m.in[:n] {
		in, out := &m.in[i], &m.out[answers]
		from, ok := m.sender(i)
		out.Name, out.Namelen = in.Name, in.Namelen
		in.Namelen = unix.SizeofSockaddrInet6
		packet := m.received[i][:in.size]
		if !ok || in.Flags&unix.MSG_TRUNC != 0 || h.AnswerLater(packet, from, to) {
			continue
		}
		if size := len(h.answer(w, now, m.answers[answers][:0], packet, from)); size > 0 {
			m.outs[answers].SetLen(size)
			answers++
		}
	}
	return answers
}

// receive takes as many as there are from a socket, and returns how many: at least one.
func (m *many) receive(fd int) (int, syscall.Errno) { return call(unix.SYS_RECVMMSG, fd, m.in[:]) }

// send gives answers to a socket, and returns how many it took: at least one.
func (m *many) send(fd, from, to int) (int, syscall.Errno) {
	return call(unix.SYS_SENDMMSG, fd, m.out[from:to])
}

// call never waits, so Go's scheduler is not told of it. It would give the processor to another thread whenever a call
// takes some microseconds, as most do, and then take it back, which costs more than the call where there is but one.
func call(number uintptr, fd int, messages []mmsghdr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
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
