package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestBundles(t *testing.T) {
	part := strings.Repeat("ab", 20) + "." + strings.Repeat("A", 22)
	parts, err := parseBundle([]byte(`{"links":["` + part + `","` + part + `"],"more":1}`))
	if err != nil || len(parts) != 2 || parts[0] != part {
		t.Errorf("%q, %v", parts, err)
	}
	for _, text := range []string{
		"", "[]", "{}", `{"links":[]}`, `{"links":[5]}`, `{"links":["https://evil.example/#` + part + `"]}`, `{"links":["` + part + `&tr=udp://x"]}`,
		`{"links":["` + part[:62] + `"]}`, `{"links":["` + strings.Repeat(part+`","`, maxParts) + part + `"]}`,
	} {
		if parts, err := parseBundle([]byte(text)); err == nil {
			t.Errorf("%.80q: %q", text, parts)
		}
	}
	// However many servers a stranger names, few are asked.
	var many, asked []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("%040x&tr=wss%%3A%%2F%%2F%d.example&ws=https%%3A%%2F%%2Fs.example", i, i))
	}
	parts, err = parseBundle([]byte(`{"links":["` + strings.Join(many, `","`) + `"]}`))
	for _, p := range parts {
		for _, address := range strings.Split(p, "&")[1:] {
			if !slices.Contains(asked, address) {
				asked = append(asked, address)
			}
		}
	}
	if err != nil || len(parts) != 100 || len(asked) != 32 {
		t.Errorf("%d parts, %d addresses, %v", len(parts), len(asked), err)
	}
	for link, want := range map[string]string{
		"https://h.example/m#x.y":                  "https://h.example/m#" + part,
		"https://h.example/m#x.y&tr=wss%3A%2F%2Fz": "https://h.example/m#" + part + "&tr=wss%3A%2F%2Fz",
	} {
		if got := (&found{link: link}).linkTo(part); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
