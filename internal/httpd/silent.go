package httpd

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// silence is how long a client may take nothing of what it is sent, and send nothing of what it is to send.
	silence = 2 * time.Minute
	// portion is what it must take in that time, in bytes.
	portion = 128 << 10
)

// patient lets requests take as long as they like, but not in silence. Deadlines are set for each read and write alone:
// between two of them a live stream may have nothing to say. A handler may set its own.
func patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		p := &patience{ResponseWriter: w, control: control, reads: deadline{set: control.SetReadDeadline}, writes: deadline{set: control.SetWriteDeadline}}
		defer p.end()
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = patientBody{r.Body, p}
		}
		next.ServeHTTP(p, r)
	})
}

type patience struct {
	http.ResponseWriter
	control *http.ResponseController

	mu            sync.Mutex
	reads, writes deadline
	ended         bool // the connection is for the next request, or somebody else's
}

type deadline struct {
	set    func(time.Time) error
	theirs bool // the handler's, or passed
}

// by sets a deadline, none where wait is 0, as long as the connection is this request's: its body may be read for longer.
func (p *patience) by(d *deadline, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || d.theirs {
		return
	}
	var at time.Time
	if wait > 0 {
		at = time.Now().Add(wait)
	}
	_ = d.set(at) // some have none
}

func (p *patience) keep(d *deadline) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.theirs = true
}

func (p *patience) writing() (done func()) {
	p.by(&p.writes, silence)
	return func() { p.by(&p.writes, 0) }
}

// end bounds what net/http has still to write, and to read. It takes these deadlines back.
func (p *patience) end() {
	p.by(&p.writes, silence)
	p.by(&p.reads, silence)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

// SetReadDeadline and SetWriteDeadline are for http.ResponseController.
func (p *patience) SetReadDeadline(at time.Time) error {
	p.keep(&p.reads)
	return p.control.SetReadDeadline(at)
}

func (p *patience) SetWriteDeadline(at time.Time) error {
	p.keep(&p.writes)
	return p.control.SetWriteDeadline(at)
}

func (p *patience) WriteHeader(status int) {
	defer p.writing()()
	p.ResponseWriter.WriteHeader(status)
}

func (p *patience) Write(b []byte) (n int, err error) {
	for {
		m, err := p.write(b[n:min(len(b), n+portion)])
		if n += m; err != nil || n == len(b) {
			return n, err
		}
	}
}

func (p *patience) write(b []byte) (int, error) {
	defer p.writing()()
	return p.ResponseWriter.Write(b)
}

// ReadFrom keeps the fast path of a response writer for files.
func (p *patience) ReadFrom(r io.Reader) (n int64, err error) {
	all, ok := r.(*io.LimitedReader)
	if !ok {
		all = &io.LimitedReader{R: r, N: math.MaxInt64}
	}
	for all.N > 0 {
		part := &io.LimitedReader{R: all.R, N: min(portion, all.N)}
		want := part.N
		m, err := p.readFrom(part)
		n, all.N = n+m, all.N-m
		if err != nil || m < want {
			return n, err
		}
	}
	return n, nil
}

func (p *patience) readFrom(r io.Reader) (int64, error) {
	defer p.writing()()
	return io.Copy(p.ResponseWriter, r)
}

// FlushError is for http.ResponseController.
func (p *patience) FlushError() error {
	defer p.writing()()
	return p.control.Flush()
}

// Hijack is for http.ResponseController. Whoever takes the connection sees to its deadlines.
func (p *patience) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	conn, buffered, err := p.control.Hijack()
	p.ended = p.ended || err == nil
	return conn, buffered, err
}

// Unwrap is for http.ResponseController.
func (p *patience) Unwrap() http.ResponseWriter { return p.ResponseWriter }

type patientBody struct {
	io.ReadCloser
	of *patience
}

func (b patientBody) Read(to []byte) (int, error) {
	b.of.by(&b.of.reads, silence)
	n, err := b.ReadCloser.Read(to)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.of.keep(&b.of.reads) // net/http is not to wait once more
	}
	b.of.by(&b.of.reads, 0)
	return n, err
}
