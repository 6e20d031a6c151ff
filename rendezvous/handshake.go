package rendezvous

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// ErrWebPage is for an answer in HTML where none was asked for: most often by what stands in between.
var ErrWebPage = errors.New("a web page came instead: perhaps this network wants you to sign in first, in a browser")

// WebPage says whether an answer is such a one.
func WebPage(r *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return (r.StatusCode == http.StatusOK || r.StatusCode == http.StatusNetworkAuthenticationRequired) && kind == "text/html"
}

// noSocket says what to do where a tracker, or what stands before it, answers with anything but a WebSocket.
func noSocket(r *http.Response) error {
	status := cut(r.Status)
	if to, err := r.Location(); err == nil && r.StatusCode/100 == 3 {
		return fmt.Errorf("it answers %s, and sends on to %s: use the address that is meant, or sign in to this network first, in a browser", status, cut(to.Scheme+"://"+to.Host))
	}
	switch code := r.StatusCode; {
	case code == http.StatusUpgradeRequired:
		return fmt.Errorf("it answers %s: a proxy in between does not pass on WebSockets, and whoever runs it has to let it", status)
	case WebPage(r):
		return fmt.Errorf("%w; or a proxy in between does not pass on WebSockets", ErrWebPage)
	case code >= http.StatusBadGateway && code <= http.StatusGatewayTimeout:
		return fmt.Errorf("it answers %s: a proxy is there, and the server behind it is not", status)
	}
	// Ours says in a line of text what is wrong.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "text/plain" && r.ContentLength > 0 {
		if said, err := io.ReadAll(io.LimitReader(r.Body, min(r.ContentLength, 4*longestReason))); err == nil {
			return fmt.Errorf("it answers %s: %s", status, strings.TrimSpace(cut(string(said))))
		}
	}
	return fmt.Errorf("it answers %s, and no WebSocket", status)
}
