package seal_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/starling-p2p/starling/seal"
)

// A letter is sealed, and opened with the key alone. Neither side holds more than a record of it in memory.
func Example() {
	letter := "Dear Bob"
	key := seal.NewKey()
	header := seal.Header{Name: "letter.txt", Files: []seal.File{{Path: "letter.txt", Size: int64(len(letter)), Type: "text/plain"}}}
	sealed, err := seal.New(key, seal.NewSalt(), header, strings.NewReader(letter)) // an io.ReaderAt
	if err != nil {
		log.Fatal(err)
	}

	opened, err := seal.Open(key, sealed, sealed.Size())
	if err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(opened.File(0))
	fmt.Println(opened.Header().Name, string(text), err)

	_, err = seal.Open(seal.NewKey(), sealed, sealed.Size())
	fmt.Println(errors.Is(err, seal.ErrKey))
	// Output:
	// letter.txt Dear Bob <nil>
	// true
}
