package peer

import (
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/starling-p2p/starling/internal/names"
	"github.com/starling-p2p/starling/seal"
)

// listing is what is found at the paths that are to be shared.
type listing struct {
	name  string
	files []listed
	key   []byte // the same for the same request
}

type listed struct {
	from string // absolute
	path string // clean, in the torrent
	size int64
}

// listFiles finds the files, in the order of their names.
func listFiles(o ShareOptions) (*listing, error) {
	if len(o.Paths) == 0 {
		return nil, errors.New("sharing nothing: name a file or folder")
	}
	var paths [][]string
	l := &listing{}
	var roots []string
	for _, given := range o.Paths {
		root, err := filepath.Abs(given)
		if err != nil {
			return nil, err
		}
		roots = append(roots, root)
		info, err := os.Stat(root)
		if err != nil {
			return nil, fmt.Errorf("sharing %s: %w", given, reason(err))
		}
		if info.Mode().IsRegular() {
			l.files = append(l.files, listed{from: root, size: info.Size()})
			paths = append(paths, []string{filepath.Base(root)})
			continue
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("sharing %s: it is neither a file nor a folder", given)
		}
		if err := l.walk(root, len(o.Paths) > 1, &paths); err != nil {
			return nil, err
		}
	}
	if len(l.files) == 0 {
		return nil, fmt.Errorf("sharing %s: there is no file in it", o.Paths[0])
	}
	if l.name = names.Name(o.Name); o.Name == "" {
		l.name = names.Name(filepath.Base(roots[0]))
	}
	if len(l.files) == 1 && len(paths[0]) == 1 { // one file is a torrent without a folder
		if o.Name == "" {
			l.name = names.Name(paths[0][0])
		}
		paths[0] = []string{l.name}
	}
	for i, path := range names.Paths(paths) {
		l.files[i].path = path
	}
	request, err := json.Marshal(struct {
		Private bool
		Name    string
		Roots   [][]byte
	}{o.Private, o.Name, asBytes(roots)})
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum(request)
	l.key = sum[:]
	return l, nil
}

func asBytes(texts []string) (all [][]byte) {
	for _, text := range texts {
		all = append(all, []byte(text))
	}
	return all
}

func (l *listing) walk(root string, below bool, paths *[][]string) error {
	above := root
	if below {
		above = filepath.Dir(root)
	}
	// The files of a folder that a link leads to are found behind it.
	return filepath.WalkDir(root+string(filepath.Separator), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("sharing %s: %w", path, reason(err))
		}
		if d.IsDir() {
			if d.Name() == partFolder {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return fmt.Errorf("sharing %s: %w", path, reason(err))
		}
		if len(l.files) == maxFiles {
			return fmt.Errorf("sharing %s: it has more than %d files: share fewer, or an archive of them", root, maxFiles)
		}
		path = filepath.Clean(path)
		inside, err := filepath.Rel(above, path)
		if err != nil {
			return err
		}
		l.files = append(l.files, listed{from: path, size: info.Size()})
		*paths = append(*paths, strings.Split(filepath.ToSlash(inside), "/"))
		return nil
	})
}

// reason is an error of the file system without the path, which is named already.
func reason(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func (l *listing) spans() (spans []span) {
	var offset int64
	for _, f := range l.files {
		spans = append(spans, span{f.from, offset, f.size})
		offset += f.size
	}
	return spans
}

func (l *listing) meta() (files []metaFile) {
	for _, f := range l.files {
		files = append(files, metaFile{path: f.path, size: f.size})
	}
	return files
}

func (l *listing) sealed() (files []seal.File) {
	for _, f := range l.files {
		files = append(files, seal.File{Path: f.path, Size: f.size, Type: typeOf(f.path)})
	}
	return files
}
