package gate

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/starling-p2p/starling/internal/watched"
)

const (
	// minSecret is the fewest bytes of a secret.
	minSecret = 16
	// signature is how many bytes of a hash are in a URL.
	signature = 16
)

// ErrUser means that an announce URL is nobody's.
var ErrUser = errors.New("this tracker is private, and this announce URL is not (or no longer) valid: ask its operator for yours")

var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Users are those whose announce URLs a private tracker has signed. Nothing is kept of them beforehand: a URL proves
// itself, by a secret that the tracker has.
//
//	https://host/u/alice.kK3…/announce
//	               │     └ HMAC-SHA256 of the name, 16 bytes, base64url
//	               └ letters, digits, - and _
//
// Those in the file of the revoked are refused, one name on each line.
type Users struct {
	secret  []byte
	revoked *watched.Files[set[string]] // nil: none
	// announces counts by name. Only names that were signed are in it.
	announces sync.Map
}

// OpenUsers reads the secret, any 16 bytes or more, and the file of the revoked; an empty name is no file.
func OpenUsers(secret, revoked string, log *slog.Logger) (*Users, error) {
	b, err := os.ReadFile(secret)
	if err != nil {
		return nil, fmt.Errorf("reading the secret of a private tracker: %w", err)
	}
	if b = bytes.TrimSpace(b); len(b) < minSecret {
		return nil, fmt.Errorf("%s has %d bytes, and a secret needs %d: make one with `openssl rand -hex 32 > %s`", secret, len(b), minSecret, secret)
	}
	gone, err := openSet(revoked, names, log)
	if err != nil {
		return nil, err
	}
	return &Users{secret: b, revoked: gone}, nil
}

func names(r io.Reader) (set[string], error) {
	all := set[string]{}
	err := eachLine(r, func(line []byte) error {
		if !name.Match(line) {
			return errors.New("is not a user's name: letters, digits, - and _, at most 64")
		}
		all[string(line)] = struct{}{}
		return nil
	})
	return all, err
}

func (u *Users) sign(user string) string {
	h := hmac.New(sha256.New, u.secret)
	_, _ = io.WriteString(h, "announce "+user) // never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:signature])
}

// Path is a user's own in announce URLs: what comes before "/announce".
func (u *Users) Path(user string) (string, error) {
	if err := CheckUser(user); err != nil {
		return "", err
	}
	return "/u/" + user + "." + u.sign(user), nil
}

// CheckUser says what is wrong with a user's name.
func CheckUser(user string) error {
	if !name.MatchString(user) {
		return fmt.Errorf("%q is not a user's name: letters, digits, - and _, at most 64", user)
	}
	return nil
}

// Admit says whether the path of an announce or scrape URL is a user's, and counts it if so. The error is ErrUser. Safe
// for concurrent use; nil admits everybody.
func (u *Users) Admit(path string) error {
	if u == nil {
		return nil
	}
	user, ok := u.of(path)
	if !ok {
		return ErrUser
	}
	n, ok := u.announces.Load(user)
	if !ok {
		n, _ = u.announces.LoadOrStore(user, new(atomic.Uint64))
	}
	n.(*atomic.Uint64).Add(1)
	return nil
}

// Serves says whether Admit would, and counts nothing.
func (u *Users) Serves(path string) bool {
	_, ok := u.of(path)
	return ok
}

// of tells whose path it is, where that user is served.
func (u *Users) of(path string) (user string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/u/")
	token, _, found := strings.Cut(rest, "/")
	user, signed, dotted := strings.Cut(token, ".")
	ok = ok && found && dotted && name.MatchString(user) && hmac.Equal([]byte(signed), []byte(u.sign(user)))
	return user, ok && (u.revoked == nil || !has(u.revoked, user))
}

// Counts tells how many requests of each user were admitted since the start.
func (u *Users) Counts() map[string]uint64 {
	counts := map[string]uint64{}
	u.announces.Range(func(user, n any) bool {
		counts[user.(string)] = n.(*atomic.Uint64).Load()
		return true
	})
	return counts
}

// Watch reads the file of the revoked again when it has changed, and when now says so, until the context ends; then it calls
// changed.
func (u *Users) Watch(ctx context.Context, now <-chan os.Signal, changed func()) {
	if u.revoked == nil {
		return
	}
	watched.Watch(ctx, now, func(force bool) {
		if u.revoked.Again(force) {
			changed()
		}
	})
}

// eachLine calls f with each line that is more than a comment. Its errors get the line's number.
func eachLine(r io.Reader, f func([]byte) error) error {
	lines := bufio.NewScanner(r)
	n := 1
	for ; lines.Scan(); n++ {
		line, _, _ := bytes.Cut(lines.Bytes(), []byte("#"))
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := f(line); err != nil {
			return fmt.Errorf("line %d %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", n, err)
	}
	return nil
}
