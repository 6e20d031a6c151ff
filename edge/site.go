package edge

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// Site is what visitors' scripts go by. Zero values are replaced by the defaults in brackets; for switches the zero
// value is the default. docs/edge.md says more of each.
type Site struct {
	// Threshold is from the how-many-th visitor on peers are asked; those before fetch over HTTP and serve later ones [2].
	Threshold int `json:"threshold"`
	// Kinds of assets that are left alone.
	NoImages    bool `json:"noImages,omitempty"`
	NoFonts     bool `json:"noFonts,omitempty"`
	NoAudio     bool `json:"noAudio,omitempty"`
	NoVideos    bool `json:"noVideos,omitempty"`
	NoDownloads bool `json:"noDownloads,omitempty"`
	// NoFold asks peers also for what is in view.
	NoFold bool `json:"noFold,omitempty"`
	// NoNearest does not prefer the peers that answer soonest.
	NoNearest bool `json:"noNearest,omitempty"`
	// NoLocal calls no visitor at an address of a local network, which browsers may ask people about.
	NoLocal bool `json:"-"`
	// Deadline is how long peers have for an image, font or download before the rest comes over HTTP [5 s].
	Deadline time.Duration `json:"-"`
	// Lead is how long before a video needs a piece it is fetched over HTTP if no peer has sent it [4 s].
	Lead time.Duration `json:"-"`
	// Upload is the most a visitor sends, in bytes per second [2,000,000]; negative: no limit.
	Upload int `json:"upload"`
	// Keep is how many bytes a visitor keeps at most [128 MiB]; what was used longest ago makes way.
	Keep int64 `json:"keep"`
	// Metered lets visitors on metered connections, or who want to save data, take part.
	Metered bool `json:"metered,omitempty"`
	// NoTURN leaves TURN servers out: only direct connections.
	NoTURN bool `json:"noTurn,omitempty"`
	// Worker lets the service worker take requests for assets without a change of markup. Without it, the service worker
	// is there only for audio and video, on pages that have any.
	Worker bool `json:"worker,omitempty"`

	// DeadlineMs and LeadMs are Deadline and Lead in milliseconds, as the script is told them; New fills them in.
	DeadlineMs int64 `json:"deadline"`
	LeadMs     int64 `json:"lead"`
}

var defaultSite = Site{}.withDefaults()

func (s Site) withDefaults() Site {
	if s.Threshold == 0 {
		s.Threshold = 2
	}
	if s.Deadline == 0 {
		s.Deadline = 5 * time.Second
	}
	if s.Lead == 0 {
		s.Lead = 4 * time.Second
	}
	if s.Upload == 0 {
		s.Upload = 2_000_000
	}
	if s.Keep == 0 {
		s.Keep = 128 << 20
	}
	s.DeadlineMs, s.LeadMs = s.Deadline.Milliseconds(), s.Lead.Milliseconds()
	return s
}

func (s Site) validate() error {
	switch {
	case s.Threshold < 1:
		return fmt.Errorf("the threshold is %d: it must be at least 1", s.Threshold)
	case s.Deadline < 100*time.Millisecond || s.Deadline > time.Hour:
		return fmt.Errorf("the deadline is %s: it must be from 100ms to 1h", s.Deadline)
	case s.Lead < 100*time.Millisecond || s.Lead > time.Minute:
		return fmt.Errorf("the lead is %s: it must be from 100ms to 1m", s.Lead)
	case s.Keep < 0:
		return fmt.Errorf("the most to keep is %d bytes: it cannot be negative", s.Keep)
	}
	return nil
}

// kind is what an asset is to its site.
type kind int

const (
	none kind = iota
	image
	font
	audio
	video
	download
)

// Types that people save rather than see.
var downloads = map[string]bool{
	"application/zip": true, "application/pdf": true, "application/gzip": true, "application/x-gzip": true,
	"application/x-tar": true, "application/x-7z-compressed": true, "application/x-xz": true, "application/zstd": true,
	"application/epub+zip": true, "application/x-iso9660-image": true, "application/java-archive": true,
	"application/vnd.debian.binary-package": true, "application/vnd.android.package-archive": true,
}

// kindOf reads a Content-Type.
func kindOf(contentType string) kind {
	essence, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	essence = strings.TrimSpace(essence)
	switch top, _, _ := strings.Cut(essence, "/"); {
	case top == "image":
		return image
	case top == "font" || essence == "application/font-woff" || essence == "application/vnd.ms-fontobject":
		return font
	case top == "audio":
		return audio
	case top == "video":
		return video
	case downloads[essence]:
		return download
	}
	return none
}

func (s Site) wants(k kind) bool {
	return [...]bool{none: false, image: !s.NoImages, font: !s.NoFonts, audio: !s.NoAudio, video: !s.NoVideos, download: !s.NoDownloads}[k]
}

func validPattern(pattern string) error {
	if _, err := path.Match(pattern, "/"); err != nil || pattern == "" {
		return fmt.Errorf("%q is no pattern of paths such as /private/, *.gif or /img/*.png", pattern)
	}
	if strings.Contains(pattern, "/") && pattern[0] != '/' {
		return fmt.Errorf("%q is the path of nothing, as paths begin with a slash: write %q", pattern, "/"+pattern)
	}
	return nil
}

// excluded says whether one of the patterns is about the path.
func excluded(patterns []string, p string) bool {
	p = path.Clean(p) // as the site may read it
	for _, pattern := range patterns {
		switch {
		case strings.HasPrefix(p, strings.TrimSuffix(pattern, "/")+"/"):
			return true
		case !strings.Contains(pattern, "/"):
			if ok, _ := path.Match(pattern, path.Base(p)); ok {
				return true
			}
		default:
			if ok, _ := path.Match(pattern, p); ok {
				return true
			}
		}
	}
	return false
}
