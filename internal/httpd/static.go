package httpd

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/starling-p2p/starling/internal/mimetypes"
)

// file is one built file, with what was made of it by compression: "" for the plain bytes, "br", "gzip".
type file struct {
	contentType string
	etag        string // without the quotes
	body        map[string][]byte
}

// static is all that was built, by path: "/index.html".
type static map[string]*file

// load reads what lies in a folder; nothing where there is none.
func load(files fs.FS, from string) (static, error) {
	all := static{}
	err := fs.WalkDir(files, from, func(name string, d fs.DirEntry, err error) error {
		if name == from && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || path.Base(name) == ".keep" {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		name, encoding := "/"+name, ""
		switch ext := path.Ext(name); ext {
		case ".br":
			name, encoding = strings.TrimSuffix(name, ext), "br"
		case ".gz":
			name, encoding = strings.TrimSuffix(name, ext), "gzip"
		}
		f := all[name]
		if f == nil {
			f = &file{contentType: contentType(name), body: map[string][]byte{}}
			all[name] = f
		}
		f.body[encoding] = body
		if encoding == "" {
			sum := sha256.Sum256(body)
			f.etag = base64.RawURLEncoding.EncodeToString(sum[:12])
		}
		return nil
	})
	return all, err
}

func contentType(name string) string {
	if path.Ext(name) == ".ts" { // which systems take for a film
		return "text/plain; charset=utf-8"
	}
	return cmp.Or(mimetypes.Of(name), "application/octet-stream")
}

// serve answers with a file. Names that carry a hash of what they hold may be kept for ever; others are asked for again
// each time, which costs a 304.
func (f *file) serve(w http.ResponseWriter, r *http.Request, cache string) {
	encoding := f.choose(r.Header.Get("Accept-Encoding"))
	etag := `"` + f.etag + `"`
	if encoding != "" {
		etag = `"` + f.etag + "-" + encoding + `"`
	}
	h := w.Header()
	h.Set("Cache-Control", cache)
	h.Set("ETag", etag)
	if len(f.body) > 1 {
		h.Set("Vary", "Accept-Encoding")
	}
	if matches(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	f.write(w, r, encoding, http.StatusOK)
}

func (f *file) write(w http.ResponseWriter, r *http.Request, encoding string, status int) {
	body, h := f.body[encoding], w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that has gone is no concern of ours
	}
}

// choose takes the smallest that the client accepts.
func (f *file) choose(accept string) string {
	for _, encoding := range [...]string{"br", "gzip"} {
		if f.body[encoding] != nil && accepts(accept, encoding) {
			return encoding
		}
	}
	return ""
}

// accepts reads an Accept-Encoding header (RFC 9110, section 12.5.3).
func accepts(header, encoding string) bool {
	any := false
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(item, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != encoding && name != "*" {
			continue
		}
		ok := true
		if q, is := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q="); is {
			weight, err := strconv.ParseFloat(q, 64)
			ok = err == nil && weight > 0
		}
		if name == encoding {
			return ok
		}
		any = ok
	}
	return any
}

// matches reads an If-None-Match header.
func matches(header, etag string) bool {
	for item := range strings.SplitSeq(header, ",") {
		if item = strings.TrimSpace(item); item == "*" || strings.TrimPrefix(item, "W/") == etag {
			return true
		}
	}
	return false
}
