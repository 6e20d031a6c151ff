package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxAnswer is the most bytes that are read of an answer.
const maxAnswer = 1 << 20

// requester is a peer by HTTP, with one kept connection.
type requester struct {
	*run
	url       string
	client    http.Client
	jobs      chan time.Duration
	ctx       context.Context
	cancel    context.CancelFunc
	finishing sync.WaitGroup
}

func joinHTTP(ctx context.Context, r *run, u *url.URL, p *place) (peer, error) {
	q := fmt.Sprintf("info_hash=%s&peer_id=%s&port=%d&uploaded=0&downloaded=0&left=1000000&compact=1", p.hash, p.id, p.port)
	to := *u
	to.RawQuery = strings.TrimPrefix(to.RawQuery+"&"+q, "&")
	h := &requester{run: r, url: to.String(), jobs: make(chan time.Duration, queued)}
	h.client = http.Client{Timeout: dialTimeout, Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if err := h.request(ctx, "&event=started"); err != nil {
		h.close()
		return nil, err
	}
	h.finishing.Go(h.work)
	return h, nil
}

func (h *requester) announce(due time.Duration) {
	select {
	case h.jobs <- due:
	default: // counted as not sent
	}
}

func (h *requester) work() {
	for {
		select {
		case <-h.ctx.Done():
			return
		case due := <-h.jobs:
			h.sent.Add(1)
			h.lateness.add(h.since() - due)
			h.record(due, h.request(h.ctx, ""))
		}
	}
}

func (h *requester) request(ctx context.Context, event string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+event, nil)
	if err != nil {
		return err
	}
	response, err := h.client.Do(request)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			return e.Err // without the URL, which is different for each peer
		}
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return err
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

func (h *requester) stop(ctx context.Context) { _ = h.request(ctx, "&event=stopped") }

func (h *requester) close() {
	h.cancel()
	h.finishing.Wait()
	h.client.CloseIdleConnections()
}
