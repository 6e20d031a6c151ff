package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
)

const (
	// maxPacket is the longest packet that is read: an announce with a long URL in its options.
	maxPacket = 2048
	// receiveBuffer is what is asked of the system for a socket, to ride out bursts; it may give less.
	receiveBuffer = 4 << 20
	// maxErrors is how many reads may fail in a row before a socket is given up.
	maxErrors = 100
)

// Serve answers what comes until the socket is closed, and returns nil then. Several calls may share a socket. Those of
// Listen take the least time.
func (h *Handler) Serve(c net.PacketConn) error {
	switch c := c.(type) {
	case interface{ serve(*Handler) error }:
		return c.serve(h)
	case *net.UDPConn:
		return h.serve(c.ReadFromUDPAddrPort, c.WriteToUDPAddrPort)
	}
	return h.serve(generic(c))
}

// serve takes one packet after the other.
func (h *Handler) serve(read func([]byte) (int, netip.AddrPort, error), write func([]byte, netip.AddrPort) (int, error)) error {
	w, packet := new(work), make([]byte, maxPacket)
	for failed := 0; ; {
		n, from, err := read(packet)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			// Some systems report what became of an earlier answer.
			if failed++; failed == maxErrors {
				return fmt.Errorf("reading from UDP: %w", err)
			}
			continue
		case n == len(packet):
			continue // cut off, perhaps
		}
		failed = 0
		if h.AnswerLater(packet[:n], from, writes(write)) {
			continue
		}
		if answer := h.answer(w, h.ids.now(), w.answer[:0], packet[:n], from); len(answer) > 0 {
			_, _ = write(answer, from) // UDP: it may get lost anyway
		}
	}
}

func generic(c net.PacketConn) (read func([]byte) (int, netip.AddrPort, error), write func([]byte, netip.AddrPort) (int, error)) {
	read = func(b []byte) (int, netip.AddrPort, error) {
		n, a, err := c.ReadFrom(b)
		u, ok := a.(*net.UDPAddr)
		if err != nil || !ok {
			return 0, netip.AddrPort{}, err
		}
		return n, u.AddrPort(), nil
	}
	write = func(b []byte, a netip.AddrPort) (int, error) { return c.WriteTo(b, net.UDPAddrFromAddrPort(a)) }
	return read, write
}

// Listen opens sockets at one address, HOST:PORT, as many as there are processors where the system spreads packets over
// them. Each is to be served, and closed. An empty host is all addresses of this machine; one that has several should
// name the one that clients know, as answers may leave from another.
func Listen(ctx context.Context, addr string) ([]net.PacketConn, error) {
	// Two programs could share a port without noticing, so see first whether it is free.
	first, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, err
	}
	addr = first.LocalAddr().String()
	_ = first.Close()
	config := net.ListenConfig{Control: sharePort}
	var all []net.PacketConn
	for range sockets() {
		c, err := config.ListenPacket(ctx, "udp", addr)
		if u, ok := c.(*net.UDPConn); ok {
			_ = u.SetReadBuffer(receiveBuffer)
			c, err = apart(u)
		}
		if err != nil {
			for _, c := range all {
				_ = c.Close()
			}
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// ListenAndServe answers at one address, as Listen has it, until the context ends, and returns nil then.
func (h *Handler) ListenAndServe(ctx context.Context, addr string) error {
	conns, err := Listen(ctx, addr)
	if err != nil {
		return err
	}
	// The end of one is the end of all.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, len(conns))
	for _, c := range conns {
		context.AfterFunc(ctx, func() { _ = c.Close() })
		go func() { served <- h.Serve(c) }()
	}
	for range conns {
		err = errors.Join(err, <-served)
		cancel()
	}
	return err
}

func sockets() int {
	if sharesPort {
		return runtime.GOMAXPROCS(0)
	}
	return 1
}
