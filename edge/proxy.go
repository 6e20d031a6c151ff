package edge

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// Proxy passes requests on to the server at origin, such as https://example.org, and its responses back as they come.
// To be used as Handler's next. The server is asked under its own name, and told the visitor's by X-Forwarded-….
func Proxy(origin string, log *slog.Logger) (http.Handler, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not the URL of a site, such as https://example.org", origin)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
		// What comes is passed on at once: a live stream is not held back.
		FlushInterval: -1,
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: time.Minute,
			MaxIdleConnsPerHost:   64,
			IdleConnTimeout:       time.Minute,
			ForceAttemptHTTP2:     true,
			// Bytes as the server has them; visitors' own Accept-Encoding goes through.
			DisableCompression: true,
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				log.Warn("the origin does not answer", "path", r.URL.Path, "error", err)
			}
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "The site does not answer right now. Try again in a moment.", http.StatusBadGateway)
		},
	}, nil
}
