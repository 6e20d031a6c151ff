package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/starling-p2p/starling/peer"
)

// A link to several things is a private torrent with one file of this type (docs/protocol.md, "Several things in one
// link"): {"links": ["<infohash>.<key>", …]}, each as it stands behind the # of its own link.
const bundleType = "application/vnd.starling.links+json"

const (
	maxBundle    = 256 << 10 // bytes
	maxParts     = 1000
	maxAddresses = 32 // trackers and web seeds that are asked for all of them together
)

var partLink = regexp.MustCompile(`^[0-9a-f]{40}(\.[\w-]{22})?(&(tr|ws)=[\w%.~!*'()-]+)*$`)

func isBundle(t *peer.Torrent) bool {
	files := t.Files()
	return t.Private() && len(files) == 1 && files[0].Type == bundleType
}

// partsOf are the ends of links in a torrent that is there; nil where it is none of that kind.
func partsOf(t *peer.Torrent) ([]string, error) {
	if !isBundle(t) {
		return nil, nil
	}
	file, err := os.Open(t.Root())
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxBundle))
	if err != nil {
		return nil, err
	}
	return parseBundle(text)
}

func parseBundle(text []byte) ([]string, error) {
	var list struct{ Links []string }
	if err := json.Unmarshal(text, &list); err != nil || len(list.Links) == 0 || len(list.Links) > maxParts {
		return nil, errors.New("this link to several things is damaged: ask for it again")
	}
	addresses := map[string]bool{}
	for i, part := range list.Links {
		if !partLink.MatchString(part) {
			return nil, errors.New("this link to several things is damaged: ask for it again")
		}
		named := strings.Split(part, "&")
		list.Links[i] = named[0]
		for _, address := range named[1:] {
			if addresses[address] || len(addresses) < maxAddresses {
				addresses[address] = true
				list.Links[i] += "&" + address
			}
		}
	}
	return list.Links, nil
}

// linkTo is a link like the one that was given, to something else.
func (f *found) linkTo(part string) string {
	before, _, _ := strings.Cut(f.link, "#")
	_, query, more := strings.Cut(f.link, "&")
	if more {
		part += "&" + query
	}
	return before + "#" + part
}
