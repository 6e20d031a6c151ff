package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// site is what visitors ask over HTTP.
type site struct {
	origin string
	client *http.Client
	once   sync.Once
	// sums are SHA-256 of assets by path, of the manifest.
	sums map[string][]byte
}

func newSite(origin string) *site {
	return &site{origin: origin, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 6}}}
}

// found is what a lookup answers (edge/lookup.go).
type found struct {
	Torrents []struct {
		InfoHash    string `json:"infoHash"`
		PieceLength int    `json:"pieceLength"`
		Pieces      int    `json:"pieces"`
		Peers       int    `json:"peers"`
	} `json:"torrents"`
	Assets map[string]struct {
		Torrent int    `json:"torrent"`
		First   int    `json:"first"`
		Size    int    `json:"size"`
		Sums    string `json:"sums"`
	} `json:"assets"`
}

// manifest tells what all assets are.
func (s *site) manifest(ctx context.Context) (map[string][]byte, error) {
	var err error
	s.once.Do(func() {
		var m struct {
			Assets map[string]struct {
				SHA256 string `json:"sha256"`
			} `json:"assets"`
		}
		if err = s.ask(ctx, http.MethodGet, "/.starling/manifest.json", nil, &m); err != nil {
			return
		}
		s.sums = map[string][]byte{}
		for path, a := range m.Assets {
			s.sums[path] = must(base64.StdEncoding.DecodeString(a.SHA256))
		}
	})
	return s.sums, err
}

func (s *site) lookup(ctx context.Context, paths []string) (f found, err error) {
	err = s.ask(ctx, http.MethodPost, "/.starling/lookup", map[string]any{"paths": paths}, &f)
	return f, err
}

// ask sends JSON and reads JSON; both may be nil.
func (s *site) ask(ctx context.Context, method, path string, body, answer any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, s.origin+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	response, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s: status %s", path, response.Status)
	}
	if answer == nil {
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// bytes reads [from, to) of a path.
func (s *site) bytes(ctx context.Context, path string, from, to int) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.origin+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
	response, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusPartialContent {
		return nil, fmt.Errorf("%s: status %s", path, response.Status)
	}
	data, err := io.ReadAll(response.Body)
	if err == nil && len(data) != to-from {
		err = fmt.Errorf("%s: %d bytes in place of %d", path, len(data), to-from)
	}
	return data, err
}

// tracker is the site's own.
func (s *site) tracker() string {
	return strings.Replace(s.origin, "http", "ws", 1) + "/.starling/announce"
}

// paths are those of all pictures, in the order of the page, and of the film; "" where there is none.
func (s *site) paths() (pictures []string, film string) {
	for path := range s.sums {
		if strings.HasSuffix(path, ".png") {
			pictures = append(pictures, path)
		} else {
			film = path
		}
	}
	slices.SortFunc(pictures, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return pictures, film
}
