package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// handshakeTimeout is how long a client may take to take our part of the handshake.
const handshakeTimeout = 5 * time.Second

// wrong says why a request cannot become a WebSocket, or "" (RFC 6455, section 4.2.1).
func wrong(r *http.Request) string {
	switch {
	case r.Method != http.MethodGet:
		return "A WebSocket begins with GET."
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return "This tracker speaks version 13 of WebSocket."
	case !has(r.Header.Values("Connection"), "upgrade"):
		return "The header Connection does not say Upgrade. A proxy in between may have taken it away."
	case r.Header.Get("Sec-WebSocket-Key") == "":
		return "The header Sec-WebSocket-Key is missing."
	}
	return ""
}

// has looks for a word in a header's comma-separated values.
func has(values []string, word string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), word) {
				return true
			}
		}
		return false
	})
}

// accept answers the handshake (section 4.2.2): no extension, no subprotocol.
func accept(conn net.Conn, key string) error {
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if _, err := conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}
