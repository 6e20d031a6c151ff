package ws_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/tracker/ws"
)

// What strangers may try; each time a bystander must not notice.
func TestHostile(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(w *world)
	}{
		{"a frame whose length has its highest bit set", func(w *world) {
			a := w.connect()
			a.Raw(testnet.Header(true, testnet.Text, 1<<63))
			synctest.Wait()
			if _, ended := a.Ended(); !ended {
				w.Error("the socket stays")
			}
		}},
		{"frames that break RFC 6455", func(w *world) {
			for _, raw := range []string{
				"\x81\x05hello", "\xc1\x80\x00\x00\x00\x00", "\x83\x80\x00\x00\x00\x00", "\x87\x80\x00\x00\x00\x00", "\x8b\x80\x00\x00\x00\x00",
				"\x09\x80\x00\x00\x00\x00", "\x89\xfe\x00\x7e\x00\x00\x00\x00", "\x80\x80\x00\x00\x00\x00", "\x01\x80\x00\x00\x00\x00\x81\x80\x00\x00\x00\x00",
			} {
				a := w.connect()
				a.Raw([]byte(raw))
				synctest.Wait()
				if code, ended := a.Ended(); !ended || code != 1002 {
					w.Errorf("% x: ended %v with %d, want 1002", raw, ended, code)
				}
			}
		}},
		{"a goodbye while answers are on their way", func(w *world) {
			for range 20 {
				a := w.connect()
				ping := append(testnet.Header(true, testnet.Ping, 1), '?')
				a.Raw(append(ping, append(testnet.Header(true, testnet.CloseFrame, 2), 0x03, 0xe8)...))
				synctest.Wait()
				if code, ended := a.Ended(); !ended || code != 1000 {
					w.Fatalf("ended %v with %d, want 1000", ended, code)
				}
			}
		}},
		{"a message that never ends: the frame stops", func(w *world) {
			a := w.connect()
			a.Raw(append(testnet.Header(true, testnet.Text, 100_000), "{"...))
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if _, ended := a.Ended(); !ended {
				w.Error("the socket stays")
			}
		}},
		{"a message that never ends: parts and pings in turn", func(w *world) {
			a := w.connect()
			a.Frame(false, testnet.Text, []byte(strings.Repeat("x", 8<<10)))
			for range 12 {
				time.Sleep(10 * time.Second)
				a.Frame(true, testnet.Ping, nil)
				a.Frame(false, testnet.Continuation, []byte("x"))
			}
			synctest.Wait()
			if code, ended := a.Ended(); !ended || code != 1008 {
				w.Errorf("ended %v with %d, want 1008", ended, code)
			}
		}},
		{"one that only pings is no offender", func(w *world) {
			a := w.connect()
			for range 200 {
				a.Frame(true, testnet.Ping, []byte(strings.Repeat("x", 125)))
				time.Sleep(time.Second)
			}
			w.wantCounts(a, announce('a'), 0, 1)
		}},
		{"one whose next message has always begun is no offender", func(w *world) {
			a := w.connect()
			message := frame(testnet.Text, announce('a'))
			a.Raw([]byte(message[:9]))
			for range 12 {
				time.Sleep(10 * time.Second)
				a.Raw([]byte(message[9:] + message[:9]))
			}
			a.Raw([]byte(message[9:]))
			if n := len(of("complete", w.got(a))); n != 13 {
				w.Errorf("%d of 13 messages were answered", n)
			}
		}},
		{"answers by the thousand to one that does not read", func(w *world) {
			slow, b := w.connect(), w.connect()
			w.counts(b, announce('b'))
			slow.Hold()
			for i := range 40 {
				slow.Send(announce('s', fmt.Sprintf(`"offers":[{"offer":{},"offer_id":"%d"}]`, i)))
			}
			synctest.Wait()
			big := strings.Repeat("x", 100_000)
			for i := range 40 {
				b.Send(announce('b', fmt.Sprintf(`"to_peer_id":%q,"offer_id":"%d","answer":{"sdp":%q}`, testnet.ID('s'), i, big)))
			}
			synctest.Wait()
			if n := w.tracker.Stats().Slow; n != 1 {
				w.Errorf("%d slow sockets were closed", n)
			}
			w.got(b)
			w.wantCounts(b, announce('b'), 0, 1)
		}},
		{"more offers than anybody needs", func(w *world) {
			a := w.connect()
			for n := range 20 {
				w.counts(w.connect(), announce('A'+byte(n)))
			}
			for range 1_000 {
				a.Send(announce('a', testnet.Offers(20)))
			}
			w.got(a)
			if n := w.tracker.Stats().Offers; n < 16_000 || n > 17_000 {
				w.Errorf("%d offers went out at once", n)
			}
			time.Sleep(10 * time.Second)
			w.counts(a, announce('a', testnet.Offers(20)))
			if n := w.tracker.Stats().Offers; n > 17_000+1_000 {
				w.Errorf("%d offers after ten more seconds", n)
			}
		}},
		{"offers that nobody was there to take do not count", func(w *world) {
			a, b := w.connect(), w.connect()
			for range 900 { // 18,000 offers
				a.Send(announce('a', testnet.Offers(20)))
			}
			w.got(a)
			w.counts(b, announce('b'))
			w.counts(a, announce('a', testnet.Offers(20)))
			if got := of("offer", w.got(b)); len(got) != 1 {
				w.Errorf("%d offers came to somebody who is there", len(got))
			}
		}},
		{"more messages of one address than it may send", func(w *world) {
			const sockets = 10
			for range sockets {
				a := w.from("198.51.100.7")
				a.Discard()
				go func() {
					for range 5_000 {
						a.Send(`{"action":"scrape","info_hash":"` + hash + `"}`)
					}
				}()
			}
			synctest.Wait()
			// Each socket goes on with one message before it waits again.
			before := w.tracker.Stats().Messages
			if before < 20_000 || before > 20_000+2*sockets {
				w.Errorf("%d messages were handled at once", before)
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if n := w.tracker.Stats().Messages - before; n < 9_000 || n > 5*(2_000+2*sockets) {
				w.Errorf("%d messages were handled within five seconds more", n)
			}
		}},
		{"more messages than it may send of one address that comes back each time", func(w *world) {
			for range 3 {
				a := w.from("198.51.100.7")
				a.Discard()
				go func() {
					for range 20_000 {
						a.Send(`{"action":"scrape","info_hash":"` + hash + `"}`)
					}
				}()
				synctest.Wait()
				a.Close()
				synctest.Wait()
			}
			if n := w.tracker.Stats().Messages; n > 25_000 {
				w.Errorf("%d messages were handled at once", n)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			a := w.from("198.51.100.7")
			for range 1_000 {
				a.Send(`{"action":"scrape","info_hash":"` + hash + `"}`)
			}
			if n := len(w.got(a)); n != 1_000 {
				w.Errorf("a minute later %d of 1,000 messages were answered", n)
			}
		}},
		{"more peer_ids than 64 on one socket", func(w *world) {
			a := w.connect()
			for i := range 64 {
				w.wantCounts(a, announce(byte(i+'0')), 0, i+1)
			}
			w.wantFailure(a, announce('!'), "announce", hash, "too many")
			w.wantCounts(a, announce('0'), 0, 64)
		}},
		{"more swarms than 16384 on one socket", func(w *world) {
			a := w.connect()
			swarm := func(i int) string {
				return strings.Replace(announce('a'), hash, fmt.Sprintf("%020d", i), 1)
			}
			for i := range 16384 {
				a.Send(swarm(i))
			}
			if n := len(of("complete", w.got(a))); n != 16384 {
				w.Fatalf("%d of 16384 swarms were joined", n)
			}
			w.wantFailure(a, swarm(16384), "announce", fmt.Sprintf("%020d", 16384), "too many")
			w.wantCounts(a, swarm(3), 0, 1)
			w.counts(a, strings.Replace(swarm(3), `"peer_id"`, `"event":"stopped","peer_id"`, 1))
			w.wantCounts(a, swarm(16384), 0, 1)
		}},
		{"more swarms than 65536 of one address", func(w *world) {
			swarm := func(i int) string {
				return strings.Replace(announce('a'), hash, fmt.Sprintf("%020d", i), 1)
			}
			const each = 16384
			var last *testnet.Socket
			for i := range 5 {
				a := w.from("198.51.100.7")
				for n := range each {
					a.Send(swarm(i*each + n)) // waits for its turn
				}
				failed := len(of("failure reason", w.got(a)))
				if i < 4 && failed > 0 || i == 4 && failed != each {
					w.Fatalf("socket %d: %d of its swarms were refused", i, failed)
				}
				last = a
			}
			if n := w.store.Stats().WebRTC; n != 4*each+1 {
				w.Errorf("%d peers are kept", n)
			}
			w.wantCounts(w.from("198.51.100.8"), swarm(5*each), 0, 1)
			w.wantFailure(last, swarm(5*each), "announce", fmt.Sprintf("%020d", 5*each), "too many")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, ws.Options{Interval: interval}, func(w *world) {
				bystander := w.from("203.0.113.9")
				w.counts(bystander, strings.ReplaceAll(announce('a'), hash, testnet.ID('o')))
				c.test(w)
				w.wantCounts(bystander, strings.ReplaceAll(announce('a'), hash, testnet.ID('o')), 0, 1)
			})
		})
	}
}

func TestSocketsPerAddress(t *testing.T) {
	inWorld(t, ws.Options{Interval: interval, MaxSocketsPerAddress: 2}, func(w *world) {
		refused := func(address string) bool {
			w.Helper()
			s := w.from(address)
			return s.Response.StatusCode == 429
		}
		first := w.from("192.0.2.1")
		if refused("192.0.2.1") || !refused("192.0.2.1") || refused("192.0.2.2") {
			w.Error("two of one IPv4 address, and no more")
		}
		if refused("2001:db8::1") || refused("2001:db8::2") || !refused("2001:db8::3") || refused("2001:db8:0:1::1") {
			w.Error("two of one IPv6 /64, and no more")
		}
		for range 5 {
			if refused("127.0.0.1") || refused("::1") {
				w.Error("this machine itself is not counted")
			}
		}
		first.Close()
		synctest.Wait()
		if refused("192.0.2.1") || !refused("192.0.2.1") {
			w.Error("a socket's end makes room for one")
		}
		w.from("192.0.2.3").Close()
		synctest.Wait()
		back := refused("192.0.2.3")
		time.Sleep(time.Minute)
		if back || refused("192.0.2.3") || !refused("192.0.2.3") {
			w.Error("two of one that has come back, and no more")
		}
	})
}

func TestClose(t *testing.T) {
	for patience, want := range map[time.Duration]time.Duration{3 * time.Second: 3 * time.Second, time.Hour: 5 * time.Second} {
		testClose(t, patience, want)
	}
}

func testClose(t *testing.T, patience, want time.Duration) {
	inWorld(t, ws.Options{Interval: interval}, func(w *world) {
		a, stuck := w.connect(), w.connect()
		w.counts(a, announce('a'))
		stuck.Hold()
		stuck.Frame(true, testnet.Ping, nil)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(w.Context(), patience)
		defer cancel()
		began := time.Now()
		if err := w.tracker.Close(ctx); err != context.DeadlineExceeded {
			w.Errorf("got %v: one socket had to be cut off", err)
		}
		if took := time.Since(began); took != want {
			w.Errorf("it took %s, want %s", took, want)
		}
		if code, ended := a.Ended(); !ended || code != 1001 {
			w.Errorf("ended %v with %d, want 1001", ended, code)
		}
		if late := w.connect(); late.WaitEnd() != 1001 {
			w.Error("a socket was opened after Close")
		}
	})
}
