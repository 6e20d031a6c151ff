package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// requesters are peers by HTTP, with a kept connection each, where the tracker keeps it.
type requesters struct {
	*run
	url     *url.URL
	client  http.Client // for taking peers back
	request *http.Request
}

func newRequesters(r *run, u *url.URL) (crowd, error) {
	request, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	d := &requesters{run: r, url: u, request: request}
	d.client = http.Client{Timeout: dialTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: dialing}}
	context.AfterFunc(r.living, d.client.CloseIdleConnections)
	return newTCP(r, u, d)
}

func (d *requesters) greet(net.Conn) ([]byte, error) { return nil, nil }

func (d *requesters) peer(p *place) talker {
	h := &requester{requesters: d, path: d.path(p)}
	h.bytes = new(bytes.Reader)
	h.reader = bufio.NewReaderSize(h.bytes, 512)
	return h
}

func (d *requesters) path(p *place) string {
	q := fmt.Sprintf("info_hash=%s&peer_id=%s&port=%d&uploaded=0&downloaded=0&left=1000000&compact=1", p.hash, p.id, p.port)
	u := *d.url
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+q, "&")
	return u.RequestURI()
}

func (d *requesters) stop(ctx context.Context, p *place) {
	to, err := d.url.Parse(d.path(p) + "&event=stopped")
	if err != nil {
		return
	}
	request := d.request.Clone(ctx)
	request.URL = to
	if response, err := d.client.Do(request); err == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxMessage))
		_ = response.Body.Close()
	}
}

// requester is one of them. It asks one thing at a time; what is due meanwhile waits.
type requester struct {
	*requesters
	path    string
	waiting []time.Duration // the first is being asked
	kept    bool            // this connection has been good for an answer
	done    bool
	refused error
	bytes   *bytes.Reader
	reader  *bufio.Reader
}

func (h *requester) joined() (bool, error) { return h.done, h.refused }

func (h *requester) announce(out []byte, due time.Duration) []byte {
	h.waiting = append(h.waiting, due)
	if len(h.waiting) > 1 {
		return out
	}
	return h.ask(out)
}

// ask appends the request that is to be asked first, if there is any.
func (h *requester) ask(out []byte) []byte {
	if len(h.waiting) == 0 {
		return out
	}
	out = append(append(out, "GET "...), h.path...)
	if h.waiting[0] == joining {
		out = append(out, "&event=started"...)
	}
	return append(append(append(out, " HTTP/1.1\r\nHost: "...), h.url.Host...), "\r\n\r\n"...)
}

func (h *requester) take(in, out []byte, _ bool) (int, []byte, error) {
	if len(in) == 0 {
		return 0, out, nil
	}
	n, closes, err := h.answer(in, false)
	switch {
	case err != nil:
		return 0, out, err
	case n == 0:
		return 0, out, nil
	case closes:
		return n, out, io.EOF
	}
	return n, h.ask(out), nil
}

// answer reads the answer to what was asked: it returns its length, 0 if it is not whole, and whether it is the last one
// of this connection. At the end, all is there that will come.
func (h *requester) answer(in []byte, end bool) (n int, closes bool, err error) {
	if len(h.waiting) == 0 {
		return 0, false, errors.New("an answer to no request")
	}
	h.bytes.Reset(in)
	h.reader.Reset(h.bytes)
	response, err := http.ReadResponse(h.reader, h.request)
	if errors.Is(err, io.ErrUnexpectedEOF) && !end {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	if response.ContentLength < 0 && len(response.TransferEncoding) == 0 && !end {
		return 0, false, nil
	}
	body, err := io.ReadAll(response.Body)
	if errors.Is(err, io.ErrUnexpectedEOF) && !end {
		return 0, false, nil
	}
	if err == nil {
		err = understood(response, body)
	}
	h.finish(err)
	return len(in) - h.bytes.Len() - h.reader.Buffered(), response.Close, nil
}

func understood(response *http.Response, body []byte) error {
	switch {
	case response.StatusCode != http.StatusOK:
		return errors.New(response.Status)
	case bytes.Contains(body, []byte("14:failure reason")):
		_, reason, _ := bytes.Cut(body, []byte("14:failure reason"))
		return fmt.Errorf("%.200q", reason)
	case !bytes.HasPrefix(body, []byte("d")):
		return errors.New("the answer is not bencoded")
	}
	return nil
}

// finish is what came of what was asked first.
func (h *requester) finish(err error) {
	due := h.waiting[0]
	h.waiting = h.waiting[:copy(h.waiting, h.waiting[1:])]
	h.kept = true
	if due == joining {
		h.done, h.refused = true, err
		return
	}
	h.record(due, err)
}

// ended asks again what a kept connection ended before, as RFC 9112, 9.3.1 has it.
func (h *requester) ended(in, out []byte, why error) ([]byte, bool) {
	again := h.kept && len(in) == 0
	first := len(h.waiting) > 0 && h.waiting[0] == joining
	if len(h.waiting) > 0 && !again {
		if n, _, err := h.answer(in, true); n == 0 {
			if err != nil && len(in) > 0 {
				why = err
			}
			h.finish(why)
		}
	}
	h.kept = first // whoever drives the connection has yet to hear that it is over
	return h.ask(out), true
}
