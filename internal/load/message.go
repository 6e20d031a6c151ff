package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// sdpSize is what a browser's description of one data channel has, in bytes, with a few candidates in it.
const sdpSize = 1200

// sdp is a description of that size, as the inside of a JSON string. It is no connection of anybody.
func sdp() []byte {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic: WMS\r\n" +
		"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:dXvp\r\na=ice-pwd:2kXbrqGcnWOj5PNtI0aKyMkE\r\n" +
		"a=fingerprint:sha-256 " + strings.Repeat("9C:", 31) + "9C\r\na=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n")
	for i := 0; b.Len() < sdpSize; i++ {
		fmt.Fprintf(&b, "a=candidate:%d 1 udp 2122260223 192.0.2.%d %d typ host generation 0 network-id %d\r\n", 842163049+i, i+1, 50000+i, i+1)
	}
	quoted, _ := json.Marshal(b.String()) // a string always can
	return quoted[1 : len(quoted)-1]
}

// offerID is 20 bytes of ASCII: when the announce was due, and which of its offers it is.
func offerID(to []byte, due time.Duration, i int) []byte {
	return fmt.Appendf(to, "%016x%04x", uint64(due), i)
}

func offerDue(id []byte) (time.Duration, bool) {
	if len(id) != 20 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(id[:16]), 16, 63)
	return time.Duration(v), err == nil
}

func (r *run) appendAnnounce(b []byte, p *place, due time.Duration, offers int) []byte {
	b = fmt.Appendf(b, `{"numwant":%d,"uploaded":0,"downloaded":0,"left":1000000,`, offers)
	if due < 0 {
		b = append(b, `"event":"started",`...)
	}
	b = fmt.Appendf(b, `"action":"announce","info_hash":"%s","peer_id":"%s","offers":[`, p.hash, p.id)
	for i := range offers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"offer":{"type":"offer","sdp":"`...), r.sdp...), `"},"offer_id":"`...)
		b = append(offerID(b, due, i), `"}`...)
	}
	return append(b, "]}"...)
}

func (r *run) appendAnswer(b []byte, p *place, to, offer []byte) []byte {
	b = fmt.Appendf(b, `{"action":"announce","info_hash":"%s","peer_id":"%s","to_peer_id":"%s","offer_id":"%s","answer":{"type":"answer","sdp":"`,
		p.hash, p.id, to, offer)
	return append(append(b, r.sdp...), `"}}`...)
}

// member finds the value of a member, wherever it is in the message: a key cannot be taken for a part of a string,
// for quotes within strings are escaped. Of a string it returns the inside as it was sent.
func member(message []byte, key string) (value []byte, ok bool) {
	i := bytes.Index(message, []byte(`"`+key+`"`))
	if i < 0 {
		return nil, false
	}
	rest := bytes.TrimLeft(message[i+len(key)+2:], " \t\r\n")
	if len(rest) == 0 || rest[0] != ':' {
		return nil, false
	}
	rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	if len(rest) == 0 || rest[0] != '"' {
		return rest, true
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return rest[1:i], true
		}
	}
	return nil, false
}
