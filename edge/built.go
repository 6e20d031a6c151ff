package edge

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// files are what was built of web/edge, by name, with their compressed variants: "" plain, "br", "gzip".
type files map[string]*file

type file struct {
	body map[string][]byte
	etag string
}

// loadFiles reads them, and puts the site's settings before edge.js where they are not the defaults.
func loadFiles(built fs.FS, site Site) (files, error) {
	all := files{}
	entries, err := fs.ReadDir(built, "edge")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the built scripts: %w", err)
	}
	for _, d := range entries {
		body, err := fs.ReadFile(built, path.Join("edge", d.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading the built scripts: %w", err)
		}
		name, encoding := d.Name(), ""
		switch path.Ext(name) {
		case ".br":
			name, encoding = strings.TrimSuffix(name, ".br"), "br"
		case ".gz":
			name, encoding = strings.TrimSuffix(name, ".gz"), "gzip"
		}
		if all[name] == nil {
			all[name] = &file{body: map[string][]byte{}}
		}
		all[name].body[encoding] = body
	}
	if script := all["edge.js"]; script != nil && site != defaultSite {
		settings, err := json.Marshal(site)
		if err != nil {
			return nil, err
		}
		before := "globalThis.starlingEdge=" + string(settings) + ";\n"
		if site.NoLocal {
			before = `import{connection}from"./outside.js";` + before + "globalThis.starlingEdge.connection=connection;\n"
		}
		plain := append([]byte(before), script.body[""]...)
		script.body = map[string][]byte{"": plain, "gzip": compress(plain)}
	}
	for _, f := range all {
		sum := sha256.Sum256(f.body[""])
		f.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	}
	return all, nil
}

func compress(plain []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = z.Write(plain) // memory takes all
	_ = z.Close()
	return b.Bytes()
}

const notBuilt = "The scripts are not in this program, because it was built without them. Run `make build` where Starling's sources lie, and then build this program again (docs/edge.md)."

func (all files) serve(w http.ResponseWriter, r *http.Request, name string) {
	f := all[name]
	switch {
	case len(all) == 0:
		http.Error(w, notBuilt, http.StatusServiceUnavailable)
		return
	case f == nil:
		http.Error(w, "There is nothing here.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", typeOf(name))
	h.Set("X-Content-Type-Options", "nosniff")
	// Names with a hash never change what they hold.
	cache := "no-cache"
	if strings.Contains(name, "-") {
		cache = "public, max-age=31536000, immutable"
	}
	if name == "sw.js" {
		h.Set("Service-Worker-Allowed", "/")
	}
	serveBytes(w, r, f.body, f.etag, cache)
}

// serveBytes answers with the smallest variant that the client takes.
func serveBytes(w http.ResponseWriter, r *http.Request, body map[string][]byte, etag, cache string) {
	encoding := ""
	for _, e := range [...]string{"br", "gzip"} {
		if body[e] != nil && accepts(r.Header.Get("Accept-Encoding"), e) {
			encoding = e
			break
		}
	}
	if encoding != "" {
		etag = strings.TrimSuffix(etag, `"`) + "-" + encoding + `"`
		w.Header().Set("Content-Encoding", encoding)
	}
	h := w.Header()
	h.Set("Cache-Control", cache)
	h.Set("ETag", etag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == etag {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body[encoding])))
	_, _ = w.Write(body[encoding]) // a client that has gone is no concern of ours
}

// accepts reads an Accept-Encoding header (RFC 9110, section 12.5.3) that names an encoding.
func accepts(header, encoding string) bool {
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(item, ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			q, weighted := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			weight, err := strconv.ParseFloat(q, 64)
			return !weighted || err == nil && weight > 0
		}
	}
	return false
}
