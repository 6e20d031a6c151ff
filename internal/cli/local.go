package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// localFile is one that `starling stream` serves to this machine.
type localFile struct {
	path string // clean
	size int64
	kind string // MIME type, or ""
	open func(context.Context) io.ReadSeekCloser
}

// local serves files to players on this machine, with ranges, under a path that nobody can guess:
//
//	/TOKEN/          a page that lists them
//	/TOKEN/N/NAME    file N
//
// Pages of other sites that a browser on this machine has open cannot read it: they do not know the path, and a name
// that their owner makes point here (DNS rebinding) is refused.
type local struct {
	listener net.Listener
	token    string
	tag      string // of the torrent, for If-Range
	files    []localFile
}

// listenLocal takes the port on the loopback interface; 0: any that is free.
func listenLocal(port int, tag string, files []localFile) (*local, error) {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("port %d cannot be had: choose another with --port, or leave that out: %w", port, err)
	}
	return &local{listener: l, token: rand.Text(), tag: tag, files: files}, nil
}

// url of file i, or of the list where i is negative.
func (l *local) url(i int) string {
	base := "http://" + l.listener.Addr().String() + "/" + l.token + "/"
	if i < 0 {
		return base
	}
	return base + l.link(i)
}

// unquoted are what url.PathEscape leaves and shells do not: people paste the URL behind the name of a player, and a stranger
// chose the file's.
var unquoted = strings.NewReplacer("&", "%26", "$", "%24")

func (l *local) link(i int) string {
	return strconv.Itoa(i) + "/" + unquoted.Replace(url.PathEscape(path.Base(l.files[i].path)))
}

// serve runs until the context ends.
func (l *local) serve(ctx context.Context) error {
	server := &http.Server{
		Handler: l, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(io.Discard, "", 0), BaseContext: func(net.Listener) context.Context { return ctx },
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l.listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// ServeHTTP is http.Handler.
func (l *local) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'")
	if host, port, _ := net.SplitHostPort(r.Host); host != "127.0.0.1" && host != "localhost" || port != l.port() {
		http.Error(w, "This is for programs on this machine, under the address that was printed.", http.StatusMisdirectedRequest)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD work here.", http.StatusMethodNotAllowed)
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/"+l.token+"/")
	number, _, _ := strings.Cut(rest, "/")
	i, err := strconv.Atoi(number)
	switch {
	case !ok:
		http.NotFound(w, r)
	case rest == "":
		l.list(w, r)
	case err != nil || i < 0 || i >= len(l.files):
		http.NotFound(w, r)
	default:
		l.file(w, r, i)
	}
}

func (l *local) port() string {
	_, port, _ := net.SplitHostPort(l.listener.Addr().String())
	return port
}

func (l *local) file(w http.ResponseWriter, r *http.Request, i int) {
	f := l.files[i]
	reader := f.open(r.Context())
	defer reader.Close()
	kind := "application/octet-stream"
	if playable(f.kind) || strings.HasPrefix(f.kind, "image/") && f.kind != "image/svg+xml" {
		kind = f.kind
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%s-%d", l.tag, i)))
	http.ServeContent(w, r, "", time.Time{}, reader)
}

// playable says whether players are for it.
func playable(kind string) bool {
	return strings.HasPrefix(kind, "video/") || strings.HasPrefix(kind, "audio/")
}

var listPage = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Starling</title>
<style>body{font:16px/1.5 system-ui;margin:2rem}td{padding-right:2rem}</style>
<table>{{range .}}<tr><td><a href="{{.Link}}">{{.Path}}</a><td>{{.Size}}{{end}}</table></html>
`))

func (l *local) list(w http.ResponseWriter, r *http.Request) {
	type row struct{ Link, Path, Size string }
	rows := make([]row, len(l.files))
	for i, f := range l.files {
		rows[i] = row{l.link(i), f.path, size(f.size)}
	}
	var page bytes.Buffer
	if err := listPage.Execute(&page, rows); err != nil {
		http.Error(w, "The list cannot be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page.Bytes()))
}
