package names

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// What web/engine/torrent/names.ts makes of the same paths.
func TestPathsAsInBrowsers(t *testing.T) {
	text, err := os.ReadFile("../../seal/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Paths []struct{ Paths, Clean []string }
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Paths) == 0 {
		t.Fatal("there are no vectors")
	}
	for _, v := range vectors.Paths {
		if got := Paths(split(v.Paths)); !reflect.DeepEqual(got, v.Clean) {
			t.Errorf("%q: got %q, want %q", v.Paths, got, v.Clean)
		}
	}
}

func split(paths []string) (all [][]string) {
	for _, p := range paths {
		all = append(all, strings.Split(p, "/"))
	}
	return all
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"\x1b]0;owned\x07\x1b[2J bird", 100, "]0;owned[2J bird"},
		{"  two\twords ", 20, "twowords"},
		{"ab🐦", 3, "ab"},
		{"ab🐦", 4, "ab🐦"},
		{"a\xff\xfeb", 10, "a\ufffd\ufffdb"},
		{"\u009b31mred", 10, "31mred"},
		{"", 5, ""},
		{"u\u0308ber", 10, "\u00fcber"},
		{"e\u200e\u0301e", 1, "\u00e9"},
		{"a\u061cb\u200ec\u200fd\ufeffe", 20, "abcde"},
		{"a\u2028b\u202ec\u2066d\u2069e", 20, "abcde"},
		{"a\u2027b\u202fc\u2065d\u206ae", 20, "a\u2027b\u202fc\u2065d\u206ae"},
	} {
		if got := Text(c.text, c.limit); got != c.want {
			t.Errorf("Text(%q, %d) = %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

// Whatever Windows takes for a device, whichever version: there the file would be that.
func TestDevices(t *testing.T) {
	for _, device := range []string{"con", "PRN", "aux", "Nul", "com1", "COM\u00b9", "lpt\u00b3", "Com\u00b2", "CONIN$", "conout$"} {
		for _, end := range []string{"", ".txt", ".tar.gz", " .txt", "  . x"} {
			if got := Name(device + end); got != "_"+device+end {
				t.Errorf("%q becomes %q", device+end, got)
			}
		}
		for _, name := range []string{device + "x", "x" + device, device + " x.txt"} {
			if got := Name(name); got != name {
				t.Errorf("%q becomes %q", name, got)
			}
		}
	}
}

func TestManyOfOneName(t *testing.T) {
	paths := make([][]string, 50_000)
	for i := range paths {
		paths[i] = []string{"same.txt"}
	}
	clean := Paths(paths)
	slices.Sort(clean)
	if n := len(slices.Compact(clean)); n != len(paths) {
		t.Errorf("%d of %d names are different", n, len(paths))
	}
}

var unsafe = regexp.MustCompile(`(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f-\x{9f}\\:]`)

func FuzzPaths(f *testing.F) {
	f.Add("../../etc/passwd\n/etc/passwd\na\nA\na/b\ncon\na (2)")
	f.Add("\xff/\ufeff\n\x1b[2J/NUL\n.\n..")
	f.Fuzz(func(t *testing.T, text string) {
		paths := split(strings.Split(text, "\n"))
		clean := Paths(paths)
		folded := map[string]bool{}
		for _, path := range clean {
			if unsafe.MatchString(path) || !utf8.ValidString(path) {
				t.Errorf("%q is not safe", path)
			}
			for _, name := range strings.Split(path, "/") {
				if n := len(utf16.Encode([]rune(name))); n > maxName+20 {
					t.Errorf("a name has %d UTF-16 units", n)
				}
			}
			if folded[fold(path)] {
				t.Errorf("%q is there twice", path)
			}
			folded[fold(path)] = true
		}
		for _, path := range clean {
			for i := strings.IndexByte(path, '/'); i >= 0; i = next(path, i) {
				if folded[fold(path[:i])] {
					t.Errorf("%q is a folder and a file", path[:i])
				}
			}
		}
		if !reflect.DeepEqual(Paths(paths), clean) {
			t.Error("not the same twice")
		}
	})
}

func next(path string, i int) int {
	if n := strings.IndexByte(path[i+1:], '/'); n >= 0 {
		return i + 1 + n
	}
	return -1
}
