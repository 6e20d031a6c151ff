package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/starling-p2p/starling/internal/names"
)

const (
	maxHeader = 1 << 20 // bytes of JSON
	maxFiles  = 1 << 14
	maxSize   = 1<<53 - 1 // what numbers of JavaScript count to
	maxName   = 200       // UTF-16 units
	authorLen = 65
)

// File is one of a container.
type File struct {
	// Path is relative, with "/" between its parts. From Open it is clean: fit to be saved on any system.
	Path string
	// Size is in bytes.
	Size int64
	// Type is a MIME type, or "".
	Type string
}

// Header is what a container says of its files.
type Header struct {
	Name  string
	Files []File
	// Author is who may sign the torrent's cards: an uncompressed P-256 point, 65 bytes, or none.
	Author []byte
}

// size is the bytes of all files, or an error.
func (h Header) size() (sum int64, err error) {
	if len(h.Files) == 0 {
		return 0, errors.New("sealing nothing: name a file at least")
	}
	if len(h.Files) > maxFiles {
		return 0, ErrTooLarge
	}
	for _, f := range h.Files {
		if f.Size < 0 || f.Size > maxSize-sum {
			return 0, fmt.Errorf("sealing %q: its size, %d bytes, is out of range", f.Path, f.Size)
		}
		sum += f.Size
	}
	return sum, nil
}

// Encode returns the JSON, as browsers write it to the byte:
//
//	{"v":1,"name":"…","files":[{"path":"a/b.webm","size":1234,"type":"audio/webm"}],"author":"<base64url>"}
//
// Errors: ErrTooLarge, and sizes that are none.
func (h Header) Encode() ([]byte, error) {
	if _, err := h.size(); err != nil {
		return nil, err
	}
	b := appendString([]byte(`{"v":1,"name":`), h.Name)
	b = append(b, `,"files":[`...)
	for i, f := range h.Files {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"path":`...), f.Path)
		b = strconv.AppendInt(append(b, `,"size":`...), f.Size, 10)
		b = append(appendString(append(b, `,"type":`...), f.Type), '}')
	}
	b = append(b, ']')
	if len(h.Author) > 0 {
		b = appendString(append(b, `,"author":`...), base64.RawURLEncoding.EncodeToString(h.Author))
	}
	if b = append(b, '}'); len(b) > maxHeader {
		return nil, ErrTooLarge
	}
	return b, nil
}

// appendString quotes as JSON.stringify does, which escapes less than encoding/json.
func appendString(b []byte, text string) []byte {
	b = append(b, '"')
	for _, r := range text { // what is not UTF-8 becomes U+FFFD
		switch r {
		case '"', '\\':
			b = append(b, '\\', byte(r))
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			if r < ' ' {
				b = fmt.Appendf(b, `\u%04x`, r)
			} else {
				b = utf8.AppendRune(b, r)
			}
		}
	}
	return append(b, '"')
}

// A MIME type, with parameters whose values may be quoted.
var mime = regexp.MustCompile(`^[\w.+-]+/[\w.+-]+(;[\w ,.+="-]*)?$`)

// ParseHeader makes a stranger's header (Opened.RawHeader) clean, as Open does. Errors: ErrFormat.
func ParseHeader(text []byte) (Header, error) {
	if len(text) > maxHeader {
		return Header{}, ErrFormat
	}
	h, _, err := parseHeader(text)
	return h, err
}

// parseHeader returns the bytes of all files besides. Keys are taken as they are spelt, which encoding/json does not do
// with structs.
func parseHeader(text []byte) (h Header, size int64, err error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var object struct{ V, Name, Files, Author json.RawMessage }
	var files []json.RawMessage
	if !utf8.Valid(text) ||
		!members(text, map[string]*json.RawMessage{"v": &object.V, "name": &object.Name, "files": &object.Files, "author": &object.Author}) ||
		json.Unmarshal(object.Files, &files) != nil || len(files) == 0 || len(files) > maxFiles {
		return h, 0, ErrFormat
	}
	if v, ok := number(object.V); !ok || v != 1 {
		return h, 0, ErrFormat
	}
	paths := make([][]string, len(files))
	h.Files = make([]File, len(files))
	for i, file := range files {
		var member struct{ Path, Size, Type json.RawMessage }
		if !members(file, map[string]*json.RawMessage{"path": &member.Path, "size": &member.Size, "type": &member.Type}) {
			return h, 0, ErrFormat
		}
		path, isText := str(member.Path)
		length, ok := number(member.Size)
		if !isText || !ok || length > maxSize-size {
			return h, 0, ErrFormat
		}
		size += length
		paths[i] = strings.Split(path, "/")
		h.Files[i].Size = length
		if t, _ := str(member.Type); len(t) < 200 && mime.MatchString(t) {
			h.Files[i].Type = t
		}
	}
	for i, path := range names.Paths(paths) {
		h.Files[i].Path = path
	}
	name, _ := str(object.Name)
	if h.Name = names.Text(name, maxName); h.Name == "" {
		first := h.Files[0].Path
		h.Name = first[strings.LastIndexByte(first, '/')+1:]
	}
	encoded, _ := str(object.Author)
	if author, err := base64.RawURLEncoding.DecodeString(encoded); err == nil && len(author) == authorLen && author[0] == 4 && !strings.ContainsAny(encoded, "\r\n") {
		h.Author = author
	}
	return h, size, nil
}

// members sets what an object has of these, and says whether it is one.
func members(object json.RawMessage, into map[string]*json.RawMessage) bool {
	var all map[string]json.RawMessage
	if json.Unmarshal(object, &all) != nil || all == nil {
		return false
	}
	for name, to := range into {
		*to = all[name]
	}
	return true
}

func str(value json.RawMessage) (s string, ok bool) {
	ok = len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &s) == nil
	return s, ok
}

// number is a whole one that JavaScript can count to, however it is written.
func number(value json.RawMessage) (n int64, ok bool) {
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f > maxSize {
		return 0, false
	}
	return int64(f), true
}
