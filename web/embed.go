// Package web carries what is built from the TypeScript beside it (web/build.mjs writes it to web/built), so that the
// server is one file.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:built
var built embed.FS

// Built holds index.html, starling.js, assets/ and so on, and NAME.br and NAME.gz beside files that were compressed. It
// holds none of them when the program was built before the web part.
func Built() fs.FS {
	sub, err := fs.Sub(built, "built")
	if err != nil {
		panic(err) // the path is a constant
	}
	return sub
}
