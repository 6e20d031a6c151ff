// Package names makes text that strangers chose fit to be shown on a terminal or page and to be saved on any system. It
// does in Go what web/engine/torrent/names.ts does in browsers, so a torrent's files have the same names everywhere.
//
//	a title, an error from afar  ─ Text  ─▶ one line, without controls
//	a part of a path             ─ Name  ─▶ a file's name
//	all paths of a torrent       ─ Paths ─▶ relative paths that do not collide
package names

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxName  = 200  // UTF-16 units
	maxGiven = 1000 // of which so many are looked at
	maxParts = 32
)

// Text is one line: without controls (and so without terminal escapes) and without characters that turn the writing
// direction, which make "gpj.exe" look like "exe.jpg". It has at most max UTF-16 units; what is not UTF-8 becomes U+FFFD.
// Macs write é as two characters, and 한 as three, which other systems show apart: here each is one (NFC).
func Text(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || turns(r) {
			return -1
		}
		return r
	}, cut(text, 4*limit))
	return strings.TrimSpace(cut(norm.NFC.String(text), limit))
}

func turns(r rune) bool {
	switch r {
	case 0x061c, 0x200e, 0x200f, 0xfeff:
		return true
	}
	return 0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}

// cut ends text after so many UTF-16 units, between two characters.
func cut(text string, units int) string {
	for i, r := range text {
		if units--; r > 0xffff {
			units--
		}
		if units < 0 {
			return text[:i]
		}
	}
	return text
}

var (
	forbidden = strings.NewReplacer(`\`, "_", "/", "_", ":", "_", "*", "_", "?", "_", `"`, "_", "<", "_", ">", "_", "|", "_")
	device    = regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³]) *(\.|$)`)
	extension = regexp.MustCompile(`\.[^./]*$`)
	kind      = regexp.MustCompile(`\.[A-Za-z0-9]{1,10}$`)
)

// Name is a file's name: never empty, "." or "..", without separators, and no device of Windows. A long one keeps its
// end, by which systems know what it is.
func Name(text string) string {
	text = Text(text, maxGiven)
	if short := Text(text, maxName); short != text {
		end := kind.FindString(text)
		text = Text(text, maxName-len(end)) + end
	}
	name := strings.TrimRight(forbidden.Replace(text), ". ")
	if name == "" || device.MatchString(name) {
		return "_" + name
	}
	return name
}

// Paths makes of paths, each a list of names, clean paths joined by "/", of which none is another, nor a folder of
// another, on a system that ignores case. Deterministic. Of a path of more than 32 parts, the last 32 stay.
func Paths(paths [][]string) []string {
	clean := make([]string, len(paths))
	taken := map[string]bool{}
	for i, parts := range paths {
		parts = parts[max(0, len(parts)-maxParts):]
		names := make([]string, len(parts))
		for j, part := range parts {
			names[j] = Name(part)
		}
		for n := len(names) - 1; n > 0; n-- {
			folder := fold(strings.Join(names[:n], "/"))
			if taken[folder] {
				break
			}
			taken[folder] = true
		}
		if clean[i] = strings.Join(names, "/"); clean[i] == "" {
			clean[i] = "_"
		}
	}
	counts := map[string]int{}
	for i, path := range clean {
		key := fold(path)
		count := max(1, counts[key])
		free := path
		for taken[fold(free)] {
			count++
			ext := extension.FindString(path)
			free = path[:len(path)-len(ext)] + " (" + strconv.Itoa(count) + ")" + ext
		}
		counts[key] = count
		taken[fold(free)] = true
		clean[i] = free
	}
	return clean
}

// fold is the same for all paths that a file system may take for one: by way of capitals, as some small letters share theirs
// with another one, as ς does with σ.
func fold(path string) string {
	if !utf8.ValidString(path) {
		path = strings.ToValidUTF8(path, "\ufffd")
	}
	path = strings.ReplaceAll(path, "İ", "i\u0307") // two letters, to Go but one
	return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, path)
}
