package peer

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/webseed"
)

// padding are the sizes of a torrent's padding files (BEP 47), by their paths as web seeds are asked for them. Web
// servers have no such files, and the engine asks for them like for any other.
type padding map[string]int64

func paddingOf(m *meta, info *metainfo.Info) padding {
	sizes := padding{}
	for i, f := range info.UpvertedFiles() {
		if m.files[i].padding {
			sizes[webseed.EscapePath(append([]string{info.BestName()}, f.BestPath()...))] = f.Length
		}
	}
	return sizes
}

// from has a web seed asked for all but the padding.
func (p padding) from(seed *webseed.Client) {
	if len(p) == 0 || !strings.HasSuffix(seed.Url, "/") {
		return // its URL is not for a folder
	}
	client := *seed.HttpClient
	client.Transport = padded{p, seed.Url, client.Transport}
	seed.HttpClient = &client
}

// padded answers requests for the padding below a URL, and passes on the others.
type padded struct {
	padding
	below string
	next  http.RoundTripper
}

// RoundTrip is http.RoundTripper.
func (p padded) RoundTrip(r *http.Request) (*http.Response, error) {
	path, _ := strings.CutPrefix(r.URL.String(), p.below)
	size, is := p.padding[path]
	if !is {
		next := p.next
		if next == nil {
			next = http.DefaultTransport
		}
		return next.RoundTrip(r)
	}
	status, from, to := http.StatusOK, int64(0), size-1
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n == 2 {
		status = http.StatusPartialContent
	}
	body := io.NopCloser(io.LimitReader(zeros{}, to-from+1))
	return &http.Response{Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: body, ContentLength: to - from + 1, Request: r}, nil
}

// zeros are read without end.
type zeros struct{}

// Read is io.Reader.
func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
