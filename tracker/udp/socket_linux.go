package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// rest is how long a socket is left alone that has just been served. What comes meanwhile is answered together after it:
// to wake up for each packet costs as much as to answer it.
const rest = time.Millisecond

// socket is a UDP socket that Go's poller does not know, as that would wake up for each packet. It knows an epoll
// instance instead, which hears of the socket only while nobody serves it:
//
//	socket ── packet ──► epoll ──► Go's poller ──► serve      the first after a pause: answered at once
//	socket ── packets ─────────────────────────► serve        every millisecond, until none is there
type socket struct {
	fd     int // used only in what raw calls, so that it is not closed meanwhile
	six    bool
	addr   net.Addr
	epoll  *os.File
	raw    syscall.RawConn // of epoll
	closed atomic.Bool
}

// apart takes a socket from Go's poller. The connection is closed, whatever comes of it.
func apart(c *net.UDPConn) (_ net.PacketConn, err error) {
	defer c.Close()
	s := &socket{fd: -1, addr: c.LocalAddr()}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { s.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, os.NewSyscallError("fcntl", failed)
	}
	if err := s.open(); err != nil {
		_ = unix.Close(s.fd)
		return nil, err
	}
	return s, nil
}

func (s *socket) open() error {
	name, err := unix.Getsockname(s.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	_, s.six = name.(*unix.SockaddrInet6)
	// Answers fit in any network of today as they are (maxAnswer). So they need no number by which fragments would be put
	// together, which is costly to draw, and forged reports of small networks do nothing. Without this all works as well.
	_ = unix.SetsockoptInt(s.fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	// Only what does not block goes to Go's poller.
	err = unix.SetNonblock(epoll, true)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN})
	}
	if err != nil {
		_ = unix.Close(epoll)
		return os.NewSyscallError("epoll_ctl", err)
	}
	s.epoll = os.NewFile(uintptr(epoll), "udp")
	if s.raw, err = s.epoll.SyscallConn(); err != nil {
		_ = s.epoll.Close()
	}
	return err
}

// watch says which events of the socket the epoll instance hears of.
func (s *socket) watch(epoll uintptr, events uint32) error {
	err := unix.EpollCtl(int(epoll), unix.EPOLL_CTL_MOD, s.fd, &unix.EpollEvent{Events: events})
	return os.NewSyscallError("epoll_ctl", err)
}

// serve answers what comes until the socket is closed.
func (s *socket) serve(h *Handler) error {
	m, w := newMany(), new(work)
	var wrong error
	err := s.raw.Read(func(epoll uintptr) (over bool) {
		over, wrong = s.turn(h, m, w, epoll)
		return over
	})
	switch {
	case s.closed.Load():
		return nil
	case err == nil:
		err = wrong
	}
	return fmt.Errorf("reading from UDP: %w", err)
}

// turn answers until there is nothing more to be answered, or the socket is closed or fails: then all is over.
func (s *socket) turn(h *Handler, m *many, w *work, epoll uintptr) (over bool, err error) {
	if err := s.watch(epoll, 0); err != nil {
		return true, err
	}
	for failed := 0; failed < maxErrors && !s.closed.Load(); {
		n, errno := m.receive(s.fd)
		switch errno {
		case 0:
		case unix.EAGAIN:
			// Had something come since, this would notice.
			err := s.watch(epoll, unix.EPOLLIN)
			return err != nil, err
		default:
			failed, err = failed+1, os.NewSyscallError("recvmmsg", errno)
			continue
		}
		failed = 0
		s.send(m, h.answerMany(m, w, n, s))
		if n < packets {
			time.Sleep(rest)
		}
	}
	return true, err
}

// send gives the answers to the system. One that it does not take gets lost, as UDP may.
func (s *socket) send(m *many, answers int) {
	for sent := 0; sent < answers && !s.closed.Load(); {
		n, errno := m.send(s.fd, sent, min(answers, sent+sending))
		switch errno {
		case 0:
			sent += n
		case unix.EAGAIN:
			time.Sleep(rest) // the network is slower
		default:
			sent++
		}
	}
}

// Close waits for what is being answered.
func (s *socket) Close() error {
	s.closed.Store(true)
	if err := s.epoll.Close(); err != nil {
		return net.ErrClosed // by an earlier call
	}
	return os.NewSyscallError("close", unix.Close(s.fd))
}

// because is why nothing could be done with epoll.
func (s *socket) because(err error) error {
	if s.closed.Load() {
		return net.ErrClosed
	}
	return err
}

func (s *socket) LocalAddr() net.Addr { return s.addr }

func (s *socket) ReadFrom(b []byte) (n int, from net.Addr, err error) {
	var a unix.Sockaddr
	failed := s.raw.Read(func(uintptr) bool {
		n, a, err = unix.Recvfrom(s.fd, b, unix.MSG_DONTWAIT)
		return !errors.Is(err, unix.EAGAIN)
	})
	switch {
	case failed != nil:
		return 0, nil, s.because(failed)
	case err != nil:
		return 0, nil, os.NewSyscallError("recvfrom", err)
	}
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		from = net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)))
	case *unix.SockaddrInet6:
		from = net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port)))
	}
	return n, from, nil
}

func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError("no address of UDP")
	}
	return s.WriteToUDPAddrPort(b, u.AddrPort())
}

// WriteToUDPAddrPort never waits: it fails while the network is slower.
func (s *socket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	var a unix.Sockaddr
	switch ip := to.Addr().Unmap(); {
	case s.six:
		a = &unix.SockaddrInet6{Addr: ip.As16(), Port: int(to.Port())}
	case ip.Is4():
		a = &unix.SockaddrInet4{Addr: ip.As4(), Port: int(to.Port())}
	default:
		return 0, net.InvalidAddrError("not of this family")
	}
	var failed error
	err := s.raw.Control(func(uintptr) { failed = unix.Sendto(s.fd, b, unix.MSG_DONTWAIT, a) })
	switch {
	case err != nil:
		return 0, s.because(err)
	case failed != nil:
		return 0, os.NewSyscallError("sendto", failed)
	}
	return len(b), nil
}

func (s *socket) SetDeadline(t time.Time) error      { return s.epoll.SetDeadline(t) }
func (s *socket) SetReadDeadline(t time.Time) error  { return s.epoll.SetReadDeadline(t) }
func (s *socket) SetWriteDeadline(t time.Time) error { return s.epoll.SetWriteDeadline(t) }
