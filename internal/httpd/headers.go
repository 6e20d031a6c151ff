package httpd

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/starling-p2p/starling/internal/loopback"
)

const permissions = "accelerometer=(), autoplay=(self), browsing-topics=(), camera=(self), " +
	"display-capture=(), encrypted-media=(), fullscreen=(self), geolocation=(), gyroscope=(), hid=(), idle-detection=(), magnetometer=(), " +
	"microphone=(self), midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(self), serial=(), usb=(), xr-spatial-tracking=()"

// What a Host header may look like to be named in a policy; whoever sends another has no page to protect.
var host = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$|^\[[0-9A-Fa-f:.]+\](:[0-9]+)?$`)

// headers sets what every answer carries.
func (s *Server) headers(next http.Handler) http.Handler {
	others := strings.Join(s.settings.connect, " ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy(r.Host, others))
		h.Set("Permissions-Policy", permissions)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// Browsers would apply it to whatever else is developed at localhost, at all ports.
		if r.TLS != nil && !loopback.Host(r.Host) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// policy is the Content-Security-Policy. Not all browsers take 'self' for WebSockets too, so those are named.
func policy(hostname, others string) string {
	connect := "connect-src 'self'"
	if host.MatchString(hostname) {
		connect += " ws://" + hostname + " wss://" + hostname
	}
	if others != "" {
		connect += " " + others
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; " +
		connect + "; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

// anyOrigin lets pages elsewhere import the engine and ask for what it needs.
func anyOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
}
