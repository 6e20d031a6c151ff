package ws

import (
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxRead is the bytes read from one socket in one turn. One that sends without end gets no more than the others.
	maxRead = 64 << 10
	// maxEvents is how many sockets one turn looks after.
	maxEvents = 64
	// drained is how many reads a connection's last bytes are worth.
	drained = 4
)

// loops carry the sockets whose connections are plain TCP, one loop for each processor. They start with the first.
type loops struct {
	all     []*loop
	running sync.WaitGroup
}

// loop waits for all its sockets at once with epoll, in turns:
//
//	epoll ─► events ─► read, handle messages ─► queues of any sockets ─► write those ─► epoll
//	                                             └ of another loop that sleeps: written at once
//
// A socket's descriptor is ours alone, so no other goroutine of this program waits for it. Only the loop closes it,
// with the queue locked, and whoever writes to it holds that lock: nobody ever writes to a number that stands for
// another connection by now. Events name a socket by its handle for the same reason.
//
// Epoll is edge-triggered: it tells once that there is something to read, and the loop reads until there is nothing.
// What it leaves, so that others have their turn, it asks for again (ask).
type loop struct {
	server *Server
	epoll  int
	file   *os.File // of epoll: when nothing happens, the goroutine waits for it as for any other file
	raw    syscall.RawConn
	ready  func(uintptr) bool // poll, for raw
	events [maxEvents]unix.EpollEvent
	count  int // of events
	buffer [maxRead]byte
	now    uint32

	mu      sync.Mutex
	awake   bool      // in a turn, at whose end it writes
	written []*socket // then
	spare   []*socket
	rushing []Handle // sockets that wait for the next second
}

// polled is what a loop knows of a socket, guarded by the lock of its queue.
type polled struct {
	fd      int    // -1 when closed
	awaited uint32 // events
	listed  bool   // in written
	unread  held   // why it is not read
}

// beneath returns the TCP connection if conn is that and nothing else, or something that has only looked at its first
// bytes and does no more.
func beneath(conn net.Conn) (*net.TCPConn, bool) {
	switch c := conn.(type) {
	case *net.TCPConn:
		return c, true
	case interface{ TCPConn() (*net.TCPConn, bool) }:
		return c.TCPConn()
	}
	return nil, false
}

// adopt makes a loop the carrier of a socket, whose queue is locked; the connection is closed then. False where that
// cannot be.
func (ls *loops) adopt(k *socket, conn net.Conn) bool {
	tcp, ok := beneath(conn)
	if !ok || !ls.start(k.server) {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	fd := -1
	if err := raw.Control(func(theirs uintptr) { fd, err = unix.FcntlInt(theirs, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || fd < 0 {
		return false
	}
	l := ls.all[int(k.handle.slot)%len(ls.all)]
	k.out.by, k.out.polled = l, polled{fd: fd, awaited: unix.EPOLLIN}
	if err := l.control(unix.EPOLL_CTL_ADD, k); err != nil {
		_ = unix.Close(fd)
		return false
	}
	_ = conn.Close() // the other descriptor, and all that Go keeps for it
	return true
}

func (ls *loops) start(s *Server) bool {
	for len(ls.all) < runtime.GOMAXPROCS(0) {
		l, err := newLoop(s)
		if err != nil {
			s.options.Log.Warn("no event loop can be had", "error", err)
			break
		}
		ls.all = append(ls.all, l)
		ls.running.Go(l.run)
	}
	return len(ls.all) > 0
}

// close ends the loops. All their sockets must be gone.
func (ls *loops) close() {
	for _, l := range ls.all {
		_ = l.file.Close()
	}
	ls.running.Wait()
}

func newLoop(s *Server) (*loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	l := &loop{server: s, epoll: fd, file: os.NewFile(uintptr(fd), "epoll")}
	l.ready = func(uintptr) bool { return l.poll() }
	if l.raw, err = l.file.SyscallConn(); err != nil {
		_ = l.file.Close()
		return nil, err
	}
	return l, nil
}

// control tells epoll what is awaited. The queue is locked.
func (l *loop) control(op int, k *socket) error {
	event := unix.EpollEvent{Events: k.out.awaited | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(k.handle.slot), Pad: int32(k.handle.generation)}
	return unix.EpollCtl(l.epoll, op, k.out.fd, &event)
}

// await asks for events of a socket, where those are not awaited already. The queue is locked.
func (l *loop) await(k *socket, events uint32) {
	if k.out.awaited != events {
		k.out.awaited = events
		l.ask(k)
	}
}

// ask has epoll tell once more of what there is now. The queue is locked.
func (l *loop) ask(k *socket) {
	if k.out.fd < 0 {
		return
	}
	if err := l.control(unix.EPOLL_CTL_MOD, k); err != nil {
		k.out.drop()
		l.cut(k)
	}
}

func (l *loop) run() {
	for l.raw.Read(l.ready) == nil { // returns when poll says that there are events, or when the file is closed
		for l.turn() {
			l.poll()
		}
	}
}

// poll asks for events, without waiting, and says whether there are any.
func (l *loop) poll() bool {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events)), maxEvents, 0, 0, 0)
	if e != 0 {
		n = 0 // interrupted
	}
	l.count = int(n)
	return n > 0
}

// turn handles what has happened, writes, and says whether there is more to be written already.
func (l *loop) turn() bool {
	l.mu.Lock()
	l.awake = true
	l.mu.Unlock()
	l.now = l.server.now()
	for _, e := range l.events[:l.count] {
		h := Handle{l.server.table.node, uint32(e.Fd), uint32(e.Pad)}
		if k := l.server.table.get(h); k != nil {
			l.handle(k, e.Events)
		}
	}
	l.mu.Lock()
	now := l.written
	l.written = l.spare[:0]
	l.mu.Unlock()
	for i, k := range now {
		k.out.mu.Lock()
		k.out.listed = false
		l.write(k)
		k.out.mu.Unlock()
		now[i] = nil
	}
	l.spare = now
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awake = len(l.written) > 0
	return l.awake
}

// None of these waits, so the scheduler is not told of them: it would wake its watchdog each time that a program with
// little to do makes such a call. No error is 0.

func receive(fd int, b []byte) (int, syscall.Errno) {
	return transfer(unix.SYS_RECVFROM, fd, b, unix.MSG_DONTWAIT)
}

func send(fd int, b []byte) (int, syscall.Errno) {
	return transfer(unix.SYS_SENDTO, fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

func transfer(call uintptr, fd int, b []byte, flags uintptr) (int, syscall.Errno) {
	n, _, err := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
	if err != 0 {
		n = 0
	}
	return int(n), err
}

// flush writes at the end of the turn, all of a socket's frames at once, or now where there is none.
func (l *loop) flush(k *socket) {
	if k.out.listed {
		return
	}
	l.mu.Lock()
	if l.awake {
		k.out.listed = true
		l.written = append(l.written, k)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	l.write(k)
}

// write gives the kernel what it takes. The queue is locked.
func (l *loop) write(k *socket) {
	q := &k.out
	if q.fd < 0 {
		return
	}
	if q.size() > 0 {
		n, err := send(q.fd, q.pending[q.sent:])
		switch {
		case err == 0:
			q.sent += n
		case err != unix.EAGAIN && err != unix.EINTR:
			q.drop()
			l.cut(k)
			return
		}
		if q.size() > 0 {
			l.writeLater(k, n > 0)
			return
		}
		release(q.pending)
		q.pending, q.sent, q.since = nil, 0, 0
	}
	switch {
	case q.state == ending:
		l.cut(k)
	case q.unread == free:
		l.await(k, unix.EPOLLIN)
	}
}

// writeLater waits until the kernel takes more. The queue is locked.
func (l *loop) writeLater(k *socket, progress bool) {
	q := &k.out
	if progress || q.since == 0 {
		q.since = l.server.now()
	}
	if q.sent > len(q.pending)/2 {
		q.pending, q.sent = q.pending[:copy(q.pending, q.pending[q.sent:])], 0
	}
	l.await(k, q.awaited|unix.EPOLLOUT)
}

// cut makes an event of the connection's end. The queue is locked.
func (l *loop) cut(k *socket) {
	if k.out.fd >= 0 {
		_ = unix.Shutdown(k.out.fd, unix.SHUT_RDWR)
	}
}

// handle does what one event of a socket asks for. Whatever the socket sent ends that socket only.
func (l *loop) handle(k *socket, events uint32) {
	defer func() {
		if p := recover(); p != nil {
			k.panicked(p)
			l.drop(k)
		}
	}()
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		l.drop(k)
		return
	}
	if events&unix.EPOLLOUT != 0 {
		l.writable(k)
	}
	if events&unix.EPOLLIN != 0 {
		l.read(k, events&unix.EPOLLRDHUP != 0)
	}
}

// read reads once; last says that the client will send no more.
func (l *loop) read(k *socket, last bool) {
	q := &k.out
	q.mu.Lock()
	fd, unread := q.fd, q.unread
	q.mu.Unlock()
	if unread != free {
		return // writable will ask
	}
	n, err := receive(fd, l.buffer[:])
	switch {
	case err == unix.EAGAIN:
	case err != 0 || n == 0:
		l.drop(k)
	case l.take(k, l.buffer[:n]) && (n == maxRead || last):
		q.mu.Lock()
		l.ask(k)
		q.mu.Unlock()
	}
}

// take has messages handled, and says whether there may be more, or stops reading.
func (l *loop) take(k *socket, data []byte) bool {
	why := k.take(data, l.now)
	if why == free {
		return true
	}
	q := &k.out
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unread = why
	if why == rushed {
		l.await(k, 0)
		l.rush(k)
	} else {
		l.await(k, unix.EPOLLOUT)
	}
	return false
}

// writable writes, and goes on with a socket that was not read.
func (l *loop) writable(k *socket) {
	q := &k.out
	q.mu.Lock()
	l.write(k)
	again := q.unread == full && q.size() <= fullQueue
	if again {
		q.unread = free
		if q.size() > 0 {
			l.await(k, unix.EPOLLIN|unix.EPOLLOUT)
		} else {
			l.await(k, unix.EPOLLIN)
		}
	}
	q.mu.Unlock()
	if again {
		l.take(k, nil)
	}
}

// drop forgets a socket, and closes its connection.
func (l *loop) drop(k *socket) {
	q := &k.out
	q.mu.Lock()
	if q.fd < 0 {
		q.mu.Unlock()
		return
	}
	// What was sent to us and not read would make the kernel reset the connection, and the client miss our close frame.
	for range drained {
		if n, err := receive(q.fd, l.buffer[:]); n == 0 || err != 0 || q.state != ending {
			break
		}
	}
	q.drop()
	_ = l.control(unix.EPOLL_CTL_DEL, k) // a child process that is being started may still hold the connection
	_ = unix.Close(q.fd)
	q.fd = -1
	q.mu.Unlock()
	k.server.gone(k)
}

// rush has a socket read again in the next second.
func (l *loop) rush(k *socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rushing) == 0 {
		time.AfterFunc(l.server.untilNextSecond(), l.goOn)
	}
	l.rushing = append(l.rushing, k.handle)
}

// goOn lets the loop see to those that waited: one that is asked of makes an event when its connection takes bytes.
func (l *loop) goOn() {
	l.mu.Lock()
	waiting := slices.Clone(l.rushing)
	l.rushing = l.rushing[:0]
	l.mu.Unlock()
	for _, h := range waiting {
		if k := l.server.table.get(h); k != nil {
			k.out.mu.Lock()
			k.out.unread, k.out.awaited = full, unix.EPOLLOUT
			l.ask(k)
			k.out.mu.Unlock()
		}
	}
}
