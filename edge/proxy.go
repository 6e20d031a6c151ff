package edge

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// Proxy passes requests on to the server at origin, such as https://example.org, and its responses back as they come.
// To be used as Handler's next. The server is asked under its own name, and told the visitor's by X-Forwarded-…; where it
// sends visitors to itself under its own name, they stay here. The origin has no path: pages name their files from the
// root on.
func Proxy(origin string, log *slog.Logger) (http.Handler, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not the URL of a site, such as https://example.org", origin)
	}
	if root := u.Scheme + "://" + u.Host; u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("%q has a path, and pages name their files from the root on: write %s: what is below that path is below it here, too", origin, root)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // as it came, for sites that separate by ";" or mean "100%"
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
			// Whoever ends TLS in front of this program says how visitors came.
			if proto, said := r.In.Header["X-Forwarded-Proto"]; said && r.In.TLS == nil {
				r.Out.Header["X-Forwarded-Proto"] = proto
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if to := r.Header.Get("Location"); to != "" {
				r.Header.Set("Location", stay(to, u))
			}
			return nil
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

// stay makes of a redirect to the origin, under its own name, one to the same path here.
func stay(location string, origin *url.URL) string {
	to, err := url.Parse(location)
	here := err == nil && (to.Scheme == "" || to.Scheme == origin.Scheme) && strings.EqualFold(to.Host, origin.Host) && to.User == nil
	if !here || strings.HasPrefix(to.Path, "//") {
		return location
	}
	to.Scheme, to.Host = "", ""
	if to.Path == "" {
		to.Path = "/"
	}
	return to.String()
}
