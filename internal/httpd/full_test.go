package httpd

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// full is a listener for whose connections there are no file descriptors.
type full struct {
	net.Listener
	tries int
}

func (f *full) Accept() (net.Conn, error) {
	if f.tries--; f.tries < 0 {
		return nil, net.ErrClosed
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
}

// An operator whose server turns everybody away hears of it, and not with each of them.
func TestNoFilesLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	s := &Server{log: slog.New(slog.NewTextHandler(&said, nil))}
	_ = s.newHTTP(nil).Serve(&full{l, 3})
	if n := strings.Count(said.String(), "too many open files"); n != 1 || !strings.Contains(said.String(), "ulimit -n") {
		t.Errorf("it is said %d times: %s", n, said.String())
	}
}
