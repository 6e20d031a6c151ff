package load

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// readAtOnce is how much is read of a connection before it is another one's turn. All connections share one buffer.
	readAtOnce = 256 << 10
	// between is how many connections have their turn before it is looked what is due.
	between = 32
	timerID = -1
)

// newDriver takes as many reactors as there are processors. TLS needs goroutines.
func newDriver(r *run, secure bool, dial dial) (driver, error) {
	if secure {
		return newPump(r, dial), nil
	}
	f := &reactors{}
	n := min(runtime.GOMAXPROCS(0), r.Connections)
	for i := range n {
		one, err := newReactor(r, i, n)
		if err != nil {
			f.close()
			return nil, err
		}
		f.all = append(f.all, one)
	}
	return f, nil
}

// reactors share connections and announces evenly.
type reactors struct {
	all  []*reactor
	next atomic.Uint32
}

func (f *reactors) add(conn net.Conn, held []byte, t talker) error {
	return f.all[f.next.Add(1)%uint32(len(f.all))].add(conn, held, t)
}

func (f *reactors) load(ctx context.Context, p plan) error {
	for _, r := range f.all {
		r.done = make(chan struct{})
		r.plan.Store(&p)
		r.wake(p.every(len(f.all)))
	}
	for _, r := range f.all {
		select {
		case <-r.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (f *reactors) close() {
	for _, r := range f.all {
		r.ending.Store(true)
		r.wake(time.Millisecond)
		<-r.ended
		_ = unix.Close(r.epoll)
		_ = unix.Close(r.timer)
	}
}

// reactor is one goroutine that has many connections: it waits for any of them, or for its timer, with epoll. A message
// costs no switch between goroutines, and no second look whether there is another one.
type reactor struct {
	*run
	number, of   int
	epoll, timer int
	plan         atomic.Pointer[plan]
	done         chan struct{} // all announces of the plan have been made
	ending       atomic.Bool
	ended        chan struct{}

	mu    sync.Mutex
	lines []*line // by number

	in, out []byte
	next    int // announce of the plan
}

// line is a connection of a reactor.
type line struct {
	talker
	number  int32
	fd      int           // -1: none
	to      unix.Sockaddr // for connecting again
	in, out []byte        // not whole; not sent
	waits   bool          // for room to send
	over    bool
}

func newReactor(r *run, number, of int) (*reactor, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, timer, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: timerID})
	}
	if err != nil {
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("timerfd", err)
	}
	a := &reactor{run: r, number: number, of: of, epoll: epoll, timer: timer, ended: make(chan struct{})}
	a.in = make([]byte, maxMessage+readAtOnce)
	go a.loop()
	return a, nil
}

// wake has the timer tick from now on.
func (r *reactor) wake(every time.Duration) {
	t := unix.NsecToTimespec(int64(every))
	_ = unix.TimerfdSettime(r.timer, 0, &unix.ItimerSpec{Interval: t, Value: t}, nil) // these arguments are good
}

// add takes the connection from Go's runtime, which would look at it as well.
func (r *reactor) add(conn net.Conn, held []byte, t talker) error {
	var fd int
	control, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	if err := control.Control(func(n uintptr) { fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return err
	}
	if err != nil {
		return os.NewSyscallError("dup", err)
	}
	_ = conn.Close()
	to, err := unix.Getpeername(fd)
	if err != nil {
		to = nil // the tracker has gone; reading will tell
	}
	l := &line{talker: t, fd: fd, to: to, in: held}
	r.mu.Lock()
	defer r.mu.Unlock() // not before the system has it: then it may end at once
	l.number = int32(len(r.lines))
	r.lines = append(r.lines, l)
	return r.watch(l, unix.EPOLL_CTL_ADD, unix.EPOLLIN)
}

func (r *reactor) watch(l *line, what int, events uint32) error {
	err := unix.EpollCtl(r.epoll, what, l.fd, &unix.EpollEvent{Events: events, Fd: l.number})
	return os.NewSyscallError("epoll_ctl", err)
}

func (r *reactor) loop() {
	defer close(r.ended)
	events, ready, ticks := make([]unix.EpollEvent, 256), make([]*line, 256), make([]byte, 8)
	for !r.ending.Load() {
		n, err := unix.EpollWait(r.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			r.fail("waiting for connections", err)
			break
		}
		n = max(n, 0)
		r.mu.Lock()
		for i, e := range events[:n] {
			if e.Fd == timerID {
				ready[i] = nil
				_, _ = unix.Read(r.timer, ticks) // or there is no next one
				continue
			}
			ready[i] = r.lines[e.Fd]
		}
		r.mu.Unlock()
		for i, l := range ready[:n] {
			if l != nil && l.fd >= 0 {
				r.serve(l, events[i].Events)
			}
			if i%between == between-1 {
				r.announce()
			}
		}
		r.announce()
	}
	for _, l := range r.lines {
		if l.fd >= 0 {
			_ = unix.Close(l.fd)
		}
	}
}

// announce makes the announces that are due; not too many at a time, for others wait to be read.
func (r *reactor) announce() {
	p := r.plan.Load()
	if p == nil {
		return
	}
	now := r.since()
	for range between {
		i := r.next*r.of + r.number
		if i >= p.total || now > p.until {
			r.plan.Store(nil)
			close(r.done)
			return
		}
		due := p.due(i)
		if due > now {
			return
		}
		r.next++
		l := r.lines[rand.IntN(len(r.lines))] // nobody is added any more
		now = r.since()
		if l.over || len(l.out) > roomToSend {
			continue // counted as not sent
		}
		r.sent.Add(1)
		r.lateness.add(now - due)
		r.out = l.announce(r.out[:0], due)
		r.send(l, r.out)
	}
}

func (r *reactor) serve(l *line, events uint32) {
	if events&unix.EPOLLOUT != 0 {
		r.flush(l)
	}
	if l.fd < 0 || events&^unix.EPOLLOUT == 0 {
		return
	}
	held := copy(r.in, l.in)
	n, err := unix.Read(l.fd, r.in[held:held+readAtOnce])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return
	case err != nil:
		r.end(l, nil, os.NewSyscallError("read", err))
		return
	case n == 0:
		r.end(l, l.in, io.EOF)
		return
	}
	in := r.in[:held+n]
	taken, out, err := l.take(in, r.out[:0], len(l.out) <= roomToSend)
	r.out = out
	if rest := in[taken:]; err == nil && len(rest) > maxMessage {
		err = errTooLong
	} else if len(rest) > 0 || len(l.in) > 0 {
		l.in = append(l.in[:0], rest...)
	}
	if err != nil {
		r.end(l, l.in, err)
		return
	}
	r.send(l, out)
}

// send passes on what a talker appended, after what waits.
func (r *reactor) send(l *line, out []byte) {
	switch {
	case len(out) == 0:
		return
	case l.fd < 0:
		l.out = append(l.out, out...)
		r.connect(l)
		return
	case len(l.out) > 0:
		l.out = append(l.out, out...)
		return
	}
	n, err := unix.Write(l.fd, out)
	if err != nil {
		if n = 0; !errors.Is(err, unix.EAGAIN) {
			r.end(l, l.in, os.NewSyscallError("write", err))
			return
		}
	}
	if n < len(out) {
		l.out = append(l.out, out[n:]...)
		r.wait(l, true)
	}
}

// wait asks to be told, or no longer, when there is room to send.
func (r *reactor) wait(l *line, waits bool) {
	if l.waits == waits {
		return
	}
	l.waits = waits
	events := uint32(unix.EPOLLIN)
	if waits {
		events |= unix.EPOLLOUT
	}
	if err := r.watch(l, unix.EPOLL_CTL_MOD, events); err != nil {
		r.end(l, nil, err)
	}
}

func (r *reactor) flush(l *line) {
	n, err := unix.Write(l.fd, l.out)
	if errors.Is(err, unix.EAGAIN) {
		return
	}
	if err != nil {
		r.end(l, nil, os.NewSyscallError("write", err))
		return
	}
	if l.out = l.out[:copy(l.out, l.out[n:])]; len(l.out) == 0 {
		l.out = nil // thousands of these would be much memory
		r.wait(l, false)
	}
}

// end closes a connection, and makes a new one where the talker has more to say.
func (r *reactor) end(l *line, in []byte, why error) {
	if l.fd >= 0 {
		_ = unix.Close(l.fd)
	}
	l.fd, l.waits = -1, false
	out, more := l.ended(in, nil, why)
	l.in, l.out, l.over = nil, out, !more
	if more && len(out) > 0 {
		r.connect(l)
	}
}

// connect begins a new connection, on which what waits is sent as soon as it stands.
func (r *reactor) connect(l *line) {
	family := unix.AF_INET
	if _, six := l.to.(*unix.SockaddrInet6); six {
		family = unix.AF_INET6
	}
	err := error(unix.ENOTCONN)
	if l.to != nil {
		l.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	}
	if err == nil {
		if err = unix.Connect(l.fd, l.to); errors.Is(err, unix.EINPROGRESS) {
			err = nil
		}
	}
	if err == nil {
		l.waits = true
		err = r.watch(l, unix.EPOLL_CTL_ADD, unix.EPOLLIN|unix.EPOLLOUT)
	}
	if err != nil {
		// Each try ends the talker's first request, so this comes to an end.
		r.end(l, nil, os.NewSyscallError("connect", err))
	}
}
