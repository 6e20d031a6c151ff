package edge

import (
	"encoding/binary"
	"math"
)

// reel finds out how long a film plays, from its bytes as they are written to it in their order: MP4 (ISO 14496-12) and
// WebM (RFC 9559) say so in a header that lies in a tree.
//
//	MP4    ftyp │ moov [ mvhd: unit, duration │ … ] │ mdat …     moov may come last
//	WebM   EBML │ Segment [ … │ Info [ TimestampScale │ Duration │ … ] │ Cluster … ]
//
// What is of no interest is skipped and not kept.
type reel struct {
	// seconds is 0 until it is known; where it is in no header, for ever.
	seconds float64
	// next looks at what begins an element and says how many bytes to pass over; 0: it must see more, negative: this is all.
	next func([]byte) int64
	seen []byte
	skip int64
	unit float64 // seconds that a WebM's durations count
}

// headroom is more than any header and value that is looked at.
const headroom = 48

func newReel(contentType string) *reel {
	r := &reel{unit: 1e-3}
	switch contentType {
	case "video/mp4", "video/quicktime", "audio/mp4":
		r.next = r.box
	case "video/webm", "audio/webm", "video/x-matroska":
		r.next = r.element
	}
	return r
}

// Write never fails.
func (r *reel) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 && r.next != nil {
		if pass := min(r.skip, int64(len(p))); pass > 0 {
			r.skip -= pass
			p = p[pass:]
			continue
		}
		n := min(len(p), headroom-len(r.seen))
		r.seen = append(r.seen, p[:n]...)
		p = p[n:]
		for len(r.seen) > 0 && r.next != nil {
			pass := r.next(r.seen)
			if pass < 0 || pass == 0 && len(r.seen) == headroom {
				r.next = nil
			}
			if pass <= 0 {
				break
			}
			here := min(pass, int64(len(r.seen)))
			r.skip = pass - here
			r.seen = append(r.seen[:0], r.seen[here:]...)
		}
	}
	return all, nil
}

// box reads what begins a box of MP4.
func (r *reel) box(b []byte) int64 {
	if len(b) < 8 {
		return 0
	}
	size, head := int64(binary.BigEndian.Uint32(b)), int64(8)
	if size == 1 {
		if len(b) < 16 {
			return 0
		}
		size, head = int64(binary.BigEndian.Uint64(b[8:])), 16
	}
	kind := string(b[4:8])
	if size < head { // 0: up to the end
		return -1
	}
	if kind == "moov" {
		return head
	}
	if kind != "mvhd" {
		return size
	}
	if b = b[head:]; len(b) < 32 {
		return 0
	}
	unit, duration := float64(binary.BigEndian.Uint32(b[12:])), float64(binary.BigEndian.Uint32(b[16:]))
	if b[0] == 1 {
		unit, duration = float64(binary.BigEndian.Uint32(b[20:])), float64(binary.BigEndian.Uint64(b[24:]))
	}
	r.is(duration / unit)
	return -1
}

// element reads what begins an element of WebM.
func (r *reel) element(b []byte) int64 {
	id, n := vint(b, false)
	size, m := vint(b[n:], true)
	if n == 0 || m == 0 {
		return 0
	}
	head := int64(n + m)
	switch id {
	case 0x18538067, 0x1549a966: // Segment, Info
		return head
	case 0x1f43b675: // Cluster: what came before was all
		return -1
	case 0x2ad7b1, 0x4489: // TimestampScale, Duration
		if size < 0 || size > 8 {
			return -1
		}
		if int64(len(b)) < head+size {
			return 0
		}
		value := make([]byte, 8)
		copy(value[8-size:], b[head:head+size])
		whole := binary.BigEndian.Uint64(value)
		switch {
		case id == 0x2ad7b1:
			r.unit = float64(whole) / 1e9
		case size == 4:
			r.is(float64(math.Float32frombits(uint32(whole))) * r.unit)
			return -1
		default:
			r.is(math.Float64frombits(whole) * r.unit)
			return -1
		}
	}
	if size < 0 {
		return -1
	}
	return head + size
}

// is takes a duration that can be true.
func (r *reel) is(seconds float64) {
	if seconds > 0 && seconds < 1e6 {
		r.seconds = seconds
	}
}

// vint reads a number of variable length (RFC 8794), with its marker or, being a size, without: -1 is an unknown one. How
// many bytes it takes; 0: more than there are.
func vint(b []byte, size bool) (value int64, n int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	for n = 1; b[0]>>(8-n) == 0; n++ {
	}
	if len(b) < n {
		return 0, 0
	}
	value = int64(b[0])
	if size {
		value &= 1<<(8-n) - 1
	}
	for _, c := range b[1:n] {
		value = value<<8 | int64(c)
	}
	if size && value == 1<<(7*n)-1 {
		value = -1
	}
	return value, n
}
