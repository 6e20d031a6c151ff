package link

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// sides are two exchanges of links that have only torrents.
func sides() (a, b *exchange) {
	x, y := &Links{torrents: map[InfoHash]*torrent{}}, &Links{torrents: map[InfoHash]*torrent{}}
	return newExchange(x, true, [16]byte{1}), newExchange(y, false, [16]byte{2})
}

func greet(t testing.TB, a, b *exchange) {
	t.Helper()
	for _, e := range [][2]*exchange{{a, b}, {b, a}} {
		if _, ok := e[0].receive(append([]byte{hello}, e[1].nonce[:]...)); !ok {
			t.Fatal("hello is refused")
		}
	}
}

// settle passes messages until there are none, and returns what a turned out to find at b.
func settle(t testing.TB, a, b *exchange) (found []InfoHash) {
	t.Helper()
	for {
		ours, theirs := a.messages(), b.messages()
		if len(ours)+len(theirs) == 0 {
			return found
		}
		for _, m := range ours {
			if len(m) > maxControl {
				t.Errorf("a message of %d bytes", len(m))
			}
			if _, ok := b.receive(m); !ok {
				t.Fatal("a message is refused")
			}
		}
		for _, m := range theirs {
			has, ok := a.receive(m)
			if !ok {
				t.Fatal("a message is refused")
			}
			found = append(found, has...)
		}
	}
}

func numbered(n int) (ih InfoHash) {
	binary.BigEndian.PutUint32(ih[:], uint32(n))
	return ih
}

func (e *exchange) set(n int, lacking bool) {
	e.links.wants++
	e.links.torrents[numbered(n)] = &torrent{lacking, e.links.wants}
	e.change(numbered(n))
}

func (e *exchange) drop(n int) {
	delete(e.links.torrents, numbered(n))
	e.change(numbered(n))
}

func TestTokens(t *testing.T) {
	a, b := sides()
	a.set(7, true)
	greet(t, a, b)
	ih := numbered(7)
	digest := sha256.Sum256(bytes.Join([][]byte{a.nonce[:], b.nonce[:], ih[:]}, nil))
	if m := a.messages(); len(m) != 1 || !bytes.Equal(m[0], append([]byte{want}, digest[:16]...)) {
		t.Errorf("got %x", m)
	}
	if b.token(ih) != a.token(ih) {
		t.Error("the two ends have other tokens")
	}
}

func TestMoreWantsThanMayBe(t *testing.T) {
	a, b := sides()
	for n := range maxWants + 10 {
		a.set(n, true)
		b.set(n, false)
	}
	greet(t, a, b)
	if found := settle(t, a, b); len(found) != maxWants || found[0] != numbered(0) {
		t.Errorf("found %d, %x first", len(found), found[0])
	}
	for n := range 10 {
		a.set(n, false)
	}
	if found := settle(t, a, b); len(found) != 10 || found[0] != numbered(maxWants) {
		t.Errorf("found %x", found)
	}
}

// Whatever happens in whatever order, in the end each side knows what the other has of what it lacks, and no more.
func TestExchangeConverges(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		a, b := sides()
		both := [2]*exchange{a, b}
		step := func() {
			e, n := both[r.IntN(2)], r.IntN(8)
			switch r.IntN(3) {
			case 0:
				e.set(n, true)
			case 1:
				e.set(n, false)
			case 2:
				e.drop(n)
			}
		}
		for range r.IntN(10) {
			step()
		}
		greet(t, a, b)
		for range 50 {
			step()
			if r.IntN(3) == 0 {
				i := r.IntN(2)
				for _, m := range both[i].messages() {
					if _, ok := both[1-i].receive(m); !ok {
						t.Fatal("a message is refused")
					}
				}
			}
		}
		settle(t, a, b)
		for i, e := range both {
			other := both[1-i].links.torrents
			for n := range 8 {
				ih := numbered(n)
				mine := e.links.torrents[ih]
				has, wanted := e.wanted[ih]
				if lacking := mine != nil && mine.lacking; wanted != lacking {
					t.Fatalf("seed %d: %d is wanted: %v", seed, n, wanted)
				}
				// One that the other side dropped again may still seem to be there; the other way round never.
				if wanted && other[ih] != nil && !has {
					t.Fatalf("seed %d: %d is there, and nobody says so", seed, n)
				}
			}
		}
	}
}

func FuzzExchange(f *testing.F) {
	f.Add([]byte{hello}, []byte{want}, uint16(1))
	f.Add(append([]byte{hello}, make([]byte, 16)...), append([]byte{want}, make([]byte, 32)...), uint16(3))
	f.Add([]byte{drop}, []byte{have, 1, 2, 3}, uint16(9))
	f.Fuzz(func(t *testing.T, first, second []byte, repeat uint16) {
		e, _ := sides()
		for n := range 5 {
			e.set(n, n%2 == 0)
		}
		e.receive(first)
		for range repeat % 8 {
			has, ok := e.receive(second)
			if !ok && len(has) > 0 {
				t.Fatal("found something in a message that is refused")
			}
			if len(e.theirs) > maxWants+maxControl/16 || len(e.names) > 5 || len(e.wanted) > 3 {
				t.Fatal("it grows")
			}
			e.messages()
		}
	})
}

func TestBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(100, 10)
		if !b.take(100) || b.take(1) {
			t.Error("the size does not hold")
		}
		time.Sleep(time.Second)
		if !b.take(10) || b.take(1) {
			t.Error("the rate does not hold")
		}
		time.Sleep(time.Hour)
		if !b.take(100) || b.take(1) {
			t.Error("the size does not hold later")
		}
	})
}
