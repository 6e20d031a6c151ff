package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // what the scheme names
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// Lifetime is how long credentials may be used to begin with. What was allocated with them goes on for longer.
const Lifetime = time.Hour

// longestUser is in bytes; RFC 8489 allows 508.
const longestUser = 128

// Credentials are a user name and a password of the scheme that coturn calls the TURN REST API: the name is the time, in
// seconds since 1970, at which they end, a colon, and anything; the password is base64(HMAC-SHA1(secret, name)).
type Credentials struct{ User, Password string }

// Credentials are new ones, valid for Lifetime.
func (r *Relay) Credentials() Credentials { return r.secret.issue(time.Now()) }

type secret []byte

func (s secret) issue(now time.Time) Credentials {
	user := strconv.FormatInt(now.Add(Lifetime).Unix(), 10) + ":" + rand.Text()[:12]
	return Credentials{user, s.password(user)}
}

func (s secret) password(user string) string {
	mac := hmac.New(sha1.New, s)
	mac.Write([]byte(user))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// expiry reads the time at which a user name ends. It does not say that the name is one of ours: only who knows its
// password can sign with it.
func expiry(user string) (time.Time, bool) {
	digits, rest, ok := strings.Cut(user, ":")
	if !ok || rest == "" || len(user) > longestUser {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseUint(digits, 10, 40)
	return time.Unix(int64(seconds), 0), err == nil
}

// authenticate gives the key with which a request must be signed; that it is, pion compares in constant time. Credentials
// that have ended may still keep what they allocated: a call does not end because it is long.
func (r *Relay) authenticate(a *turn.RequestAttributes) (id string, key []byte, ok bool) {
	client := clientAt(a.SrcAddr)
	ends, ok := expiry(a.Username)
	if ok && !time.Now().Before(ends) {
		ok = a.Method != stun.MethodAllocate && r.book.has(client, a.Username)
	}
	if !ok {
		r.counts.credentials.Add(1)
		return "", nil, false
	}
	return userID(client, a.Username), turn.GenerateAuthKey(a.Username, realm, r.secret.password(a.Username)), true
}
