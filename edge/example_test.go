package edge_test

import (
	"log"
	"net/http"

	"github.com/starling-p2p/starling/edge"
)

// A site of one's own, whose visitors carry its assets. Its pages include
//
//	<script type="module" src="/.starling/edge.js"></script>
//
// and say data-src in place of src.
func Example() {
	site := http.FileServer(http.Dir("public")) // any handler

	e, err := edge.New(edge.Options{
		CacheDir: "/var/cache/starling",
		Exclude:  []string{"/avatars/"},
		Site:     edge.Site{Threshold: 3},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	log.Println("figures: https://example.org/.starling/#" + e.Key())
	log.Fatal(http.ListenAndServe(":8080", e.Handler(site)))
}
