package rendezvous

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/starling-p2p/starling/link"
)

// The WebTorrent tracker protocol: one JSON object per text frame. The 20 bytes of info_hash, peer_id and to_peer_id
// travel as 20 code points U+0000 to U+00FF; offer_id is opaque.
//
//	announce ▶  {action: "announce", info_hash, peer_id, key, uploaded, downloaded, left, event?, numwant, offers?}
//	         ◀  {action: "announce", info_hash, interval, "min interval"?, complete, incomplete}   or "failure reason"
//	offer    ◀  {action: "announce", info_hash, peer_id, offer_id, offer: {type: "offer", sdp}}
//	answer   ▶  {action: "announce", info_hash, peer_id, to_peer_id, offer_id, answer: {type: "answer", sdp}}
//	         ◀  {action: "announce", info_hash, peer_id, offer_id, answer}
const (
	longestMessage = 128 << 10
	longestOfferID = 256 // as sent, with quotes and escapes
	longestReason  = 200
)

// binary is bytes in the form of code points.
type binary [20]byte

func (b binary) MarshalJSON() ([]byte, error) {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return json.Marshal(string(runes))
}

var errBinary = errors.New("not 20 code points from U+0000 to U+00FF")

func (b *binary) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	if utf8.RuneCountInString(text) != len(b) {
		return errBinary
	}
	i := 0
	for _, r := range text {
		if r > 0xff {
			return errBinary
		}
		b[i] = byte(r)
		i++
	}
	return nil
}

type description struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

type announcement struct {
	Action     string         `json:"action"`
	InfoHash   binary         `json:"info_hash"`
	PeerID     binary         `json:"peer_id"`
	Key        string         `json:"key"`
	Uploaded   int64          `json:"uploaded"`
	Downloaded int64          `json:"downloaded"`
	Left       *int64         `json:"left"` // null while it is unknown
	Event      string         `json:"event,omitempty"`
	NumWant    int            `json:"numwant"`
	Offers     []offerMessage `json:"offers"`
}

type offerMessage struct {
	Offer   description `json:"offer"`
	OfferID binary      `json:"offer_id"`
}

type answerMessage struct {
	Action   string          `json:"action"`
	InfoHash binary          `json:"info_hash"`
	PeerID   binary          `json:"peer_id"`
	ToPeerID binary          `json:"to_peer_id"`
	OfferID  json.RawMessage `json:"offer_id"`
	Answer   description     `json:"answer"`
}

// encode cannot fail: all its arguments are of these types.
func encode(message any) []byte {
	b, _ := json.Marshal(message)
	return b
}

func offerMessages(offers []*link.Offer) []offerMessage {
	all := make([]offerMessage, len(offers))
	for i, o := range offers {
		all[i] = offerMessage{description{"offer", o.SDP}, binary(o.ID)}
	}
	return all
}

// message is one from the tracker. Exactly one of reply, failure, offer and answer says what it is.
type message struct {
	infoHash [20]byte
	reply    *reply
	failure  string
	// Of an offer or an answer. offerID is as it came, quotes and escapes included.
	offer, answer string
	peerID        [20]byte
	offerID       json.RawMessage
}

// reply has -1 for what the tracker did not say. Times are in seconds.
type reply struct {
	interval, floor    float64
	complete, incoming int
}

var errMessage = errors.New("not a message about a torrent")

// parse takes what a tracker sent, up to longestMessage bytes.
func parse(data []byte) (m message, err error) {
	if len(data) > longestMessage {
		return m, errMessage
	}
	var raw struct {
		Action     string          `json:"action"`
		InfoHash   *binary         `json:"info_hash"`
		PeerID     json.RawMessage `json:"peer_id"`
		OfferID    json.RawMessage `json:"offer_id"`
		Offer      json.RawMessage `json:"offer"`
		Answer     json.RawMessage `json:"answer"`
		Reason     json.RawMessage `json:"failure reason"`
		Interval   json.RawMessage `json:"interval"`
		Floor      json.RawMessage `json:"min interval"`
		Complete   json.RawMessage `json:"complete"`
		Incomplete json.RawMessage `json:"incomplete"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return m, err
	}
	if raw.InfoHash == nil {
		return m, errMessage
	}
	m.infoHash = *raw.InfoHash
	var reason string
	if json.Unmarshal(raw.Reason, &reason) == nil && present(raw.Reason) {
		m.failure = "no reason given"
		if reason != "" {
			m.failure = cut(reason)
		}
		return m, nil
	}
	if raw.Action != "announce" {
		return m, errMessage
	}
	switch {
	case present(raw.Offer):
		m.offer, err = sdp(raw.Offer, "offer")
	case present(raw.Answer):
		m.answer, err = sdp(raw.Answer, "answer")
	default:
		m.reply = &reply{
			interval: number(raw.Interval), floor: number(raw.Floor),
			complete: int(number(raw.Complete)), incoming: int(number(raw.Incomplete)),
		}
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(raw.PeerID, (*binary)(&m.peerID)); err != nil || !present(raw.PeerID) {
		return m, errBinary
	}
	if len(raw.OfferID) < 2 || raw.OfferID[0] != '"' || len(raw.OfferID) > longestOfferID {
		return m, errMessage
	}
	m.offerID = raw.OfferID
	return m, nil
}

func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

func sdp(raw json.RawMessage, kind string) (string, error) {
	var d description
	if err := json.Unmarshal(raw, &d); err != nil {
		return "", err
	}
	if d.Type != kind || d.SDP == "" {
		return "", errMessage
	}
	return d.SDP, nil
}

// number is what is not negative, and -1 for all else.
func number(raw json.RawMessage) float64 {
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || !(n >= 0) || n > math.MaxInt32 {
		return -1
	}
	return n
}

// cut shortens a tracker's words, between code points, and leaves out what a terminal would take for commands.
func cut(text string) string {
	clean := make([]rune, 0, longestReason)
	for _, r := range text {
		if len(clean) == longestReason {
			break
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			r = ' '
		}
		clean = append(clean, r)
	}
	return string(clean)
}

// ownID is an offer_id as this side makes them.
func ownID(raw json.RawMessage) (id [20]byte, ok bool) {
	var b binary
	err := json.Unmarshal(raw, &b)
	return b, err == nil
}
