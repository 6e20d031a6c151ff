package peer

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"sync"
)

// content is a torrent's bytes as they lie in files, one after another. What lies under its name, for everybody to
// change, is sealed by stamps: what is read is good only if the file looks as it did when it was verified.
type content struct {
	handles *handles
	files   []span
	size    int64
	// root keeps what is written below a folder, whatever links lie there; nil: paths are absolute, and only read.
	root *os.Root
	// held keeps that folder from others; nil: nobody writes to it.
	held *os.File

	mu sync.RWMutex
	// stamps say how the files looked when they were verified; nil: nobody but us writes to them.
	stamps []stamp
}

// span is where a file lies among the bytes. Without a path it is padding: zeros.
type span struct {
	path         string
	offset, size int64
}

// changedError is for a file that does not look as it did.
type changedError struct{ path string }

func (e changedError) Error() string {
	return fmt.Sprintf("%s has changed since it was shared: share it again, or put it back", e.path)
}

// over lays files one after another; root may be nil.
func over(h *handles, root *os.Root, files []span) *content {
	c := &content{handles: h, root: root, files: files}
	for _, f := range files {
		c.size = f.offset + f.size
	}
	return c
}

// each calls f with the parts of files in which bytes [off, off+n) lie: so many bytes, at this place in file i.
func (c *content) each(n int, off int64, f func(i int, at int64, part int) error) error {
	if off < 0 || off+int64(n) > c.size {
		return io.ErrUnexpectedEOF
	}
	for i := sort.Search(len(c.files), func(i int) bool { return c.files[i].offset+c.files[i].size > off }); n > 0; i++ {
		file := c.files[i]
		if file.size == 0 {
			continue
		}
		at := off - file.offset
		part := int(min(int64(n), file.size-at))
		if err := f(i, at, part); err != nil {
			return err
		}
		n, off = n-part, off+int64(part)
	}
	return nil
}

// at is the path of the file in which a byte lies.
func (c *content) at(off int64) (path string) {
	_ = c.each(1, off, func(i int, _ int64, _ int) error {
		path = c.files[i].path
		return nil
	})
	return path
}

// ReadAt is io.ReaderAt. What is beyond the end of a file is io.ErrUnexpectedEOF, what has changed a changedError.
func (c *content) ReadAt(b []byte, off int64) (n int, err error) {
	want := b
	if left := c.size - off; off >= 0 && int64(len(b)) > left {
		want = b[:max(0, left)]
	}
	err = c.each(len(want), off, func(i int, at int64, part int) error {
		if err := c.readFile(i, want[n:n+part], at); err != nil {
			return err
		}
		n += part
		return nil
	})
	if err == nil && n < len(b) {
		err = io.EOF
	}
	return n, err
}

func (c *content) readFile(i int, b []byte, at int64) error {
	file := c.files[i]
	if file.path == "" {
		clear(b)
		return nil
	}
	h, err := c.handles.get(handleKey{c, i, false}, func() (*os.File, error) { return c.open(i, os.O_RDONLY) })
	if err != nil {
		if c.stamped() && os.IsNotExist(err) {
			return changedError{file.path}
		}
		return err
	}
	n, err := h.ReadAt(b, at)
	c.handles.put(h)
	// Looked at after it was read: had it been changed before that, it would not look the same.
	if !c.same(i) {
		c.handles.forget(handleKey{c, i, false})
		return changedError{file.path}
	}
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// WriteAt is io.WriterAt, for what lies below a root. Folders and files are made as they are needed.
func (c *content) WriteAt(b []byte, off int64) (n int, err error) {
	err = c.each(len(b), off, func(i int, at int64, part int) error {
		if c.files[i].path == "" {
			n += part
			return nil
		}
		h, err := c.handles.get(handleKey{c, i, true}, func() (*os.File, error) { return c.create(i) })
		if err != nil {
			return err
		}
		m, err := h.WriteAt(b[n:n+part], at)
		c.handles.put(h)
		n += m
		return err
	})
	return n, err
}

func (c *content) open(i, flag int) (*os.File, error) {
	if c.root == nil {
		return os.OpenFile(c.files[i].path, flag, 0)
	}
	return c.root.OpenFile(filepath.FromSlash(c.files[i].path), flag, 0o666)
}

func (c *content) create(i int) (*os.File, error) {
	f, err := c.open(i, os.O_RDWR|os.O_CREATE)
	if os.IsNotExist(err) {
		if err = c.root.MkdirAll(filepath.Dir(filepath.FromSlash(c.files[i].path)), 0o777); err == nil {
			f, err = c.open(i, os.O_RDWR|os.O_CREATE)
		}
	}
	return f, err
}

// look stamps file i as it is now.
func (c *content) look(i int) stamp {
	switch path := c.files[i].path; {
	case path == "":
		return stamp{}
	case c.root != nil:
		info, err := c.root.Stat(filepath.FromSlash(path))
		return stampOf(info, err)
	default:
		info, err := os.Stat(path)
		return stampOf(info, err)
	}
}

func (c *content) lookAll() []stamp {
	all := make([]stamp, len(c.files))
	for i := range all {
		all[i] = c.look(i)
	}
	return all
}

func (c *content) stamped() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.stamps != nil
}

// same says whether a file looks as it did when it was verified.
func (c *content) same(i int) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.stamps == nil || c.stamps[i] == c.look(i)
}

// seal says how the files look that have been verified.
func (c *content) seal(stamps []stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stamps = stamps
}

// manyFiles are so many that it takes less time to put the whole file system on disk.
const manyFiles = 256

// sync puts what was written to these files on disk.
func (c *content) sync(files []int) error {
	if len(files) > manyFiles && c.root != nil && syncAll(c.root) == nil {
		return nil
	}
	for _, i := range files {
		if c.files[i].path == "" {
			continue
		}
		f, err := c.open(i, os.O_RDWR)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		err = f.Sync()
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", c.files[i].path, err)
		}
	}
	return nil
}

// close lets go of the files; the content can be read no more.
func (c *content) close() {
	c.handles.forgetAll(c)
	if c.root != nil {
		_ = c.root.Close()
	}
	_ = c.held.Close() // nil is fine
}
