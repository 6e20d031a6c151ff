package rendezvous_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/rendezvous"
)

func TestOffersAndAnswersArrive(t *testing.T) {
	inWorld(t, func(w *world) {
		seeder, leecher := w.peer('s', 0), w.peer('l', 100)
		seeder.add(hash(1))
		synctest.Wait()
		torrent := leecher.add(hash(1))
		synctest.Wait()
		if n := seeder.offered[leecher.id]; n != 1 {
			t.Errorf("%d offers arrived, want 1: there is one peer", n)
		}
		if n := len(leecher.accepted[seeder.id]); n != 1 {
			t.Errorf("%d answers arrived", n)
		}
		if leecher.made != 2 || leecher.count("released") != 1 {
			t.Errorf("%d offers were made and %d released", leecher.made, leecher.count("released"))
		}
		if seeder.made != 0 {
			t.Error("a seeder makes offers")
		}
		status := torrent.Status()
		if len(status) != 1 || !status[0].Connected || status[0].Err != nil || status[0].URL != at || status[0].Seeders != 1 || status[0].Leechers != 1 {
			t.Errorf("got %+v", status)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if leecher.made != 2 {
			t.Errorf("%d offers were made for the one peer that it has", leecher.made-1)
		}
	})
}

func TestOneSocketForAllTorrents(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.peer('p', 0)
		var all []*rendezvous.Torrent
		for n := range 100 {
			all = append(all, p.add(hash(byte(n))))
		}
		for range 2 {
			time.Sleep(time.Second)
			synctest.Wait()
			if s := w.store.Stats(); w.dials.Load() != 1 || s.Peers != len(all) || s.Swarms != len(all) {
				t.Errorf("%d torrents: %d sockets, %+v", len(all), w.dials.Load(), s)
			}
			for _, torrent := range all[1:] {
				torrent.Close()
				torrent.Close()
			}
			all = all[:1]
		}
		p.add(hash(200))
		synctest.Wait()
		if s := w.store.Stats(); w.dials.Load() != 1 || s.Peers != 2 {
			t.Errorf("one more: %d sockets, %+v", w.dials.Load(), s)
		}
		// Those that were closed do not come back.
		time.Sleep(2 * interval)
		synctest.Wait()
		if s := w.store.Stats(); s.Peers != 2 {
			t.Errorf("later: %+v", s)
		}
		w.shut()
		w.open()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := w.store.Stats(); s.Peers != 2 {
			t.Errorf("at a tracker that was away: %+v", s)
		}
	})
}

// The tracker forgets who does not announce for two intervals.
func TestAnIdleSeederIsStillFound(t *testing.T) {
	inWorld(t, func(w *world) {
		seeder, leecher := w.peer('s', 0), w.peer('l', 100)
		seeder.add(hash(1))
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if n := w.store.Stats().Peers; n != 1 || w.dials.Load() != 1 {
			t.Fatalf("%d peers, %d sockets", n, w.dials.Load())
		}
		if n := w.ws.Stats().Messages; n < 90 || n > 110 {
			t.Errorf("%d announces in three hours", n)
		}
		leecher.add(hash(1))
		synctest.Wait()
		if len(leecher.accepted[seeder.id]) != 1 {
			t.Error("nobody answered")
		}
	})
}

// A seeder that arrives does not call, so a peer that has nobody comes back often, but not for ever as often.
func TestAStalledTorrentIsAnnouncedOften(t *testing.T) {
	inWorld(t, func(w *world) {
		leecher := w.peer('l', 100)
		leecher.add(hash(1))
		time.Sleep(time.Minute)
		synctest.Wait()
		n := w.ws.Stats().Messages
		if n < 5 || n > 8 {
			t.Errorf("%d announces in a minute", n)
		}
		seeder := w.peer('s', 0)
		seeder.add(hash(1))
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if len(leecher.accepted[seeder.id]) != 1 {
			t.Error("they did not meet")
		}
		before := w.ws.Stats().Messages
		time.Sleep(interval / 2)
		synctest.Wait()
		if n := w.ws.Stats().Messages - before; n > 3 {
			t.Errorf("%d messages in a minute, now that it has a peer", n)
		}
		// Without offers there is nothing to say more often.
		leecher.mu.Lock()
		leecher.busy, leecher.carried = true, 0
		leecher.mu.Unlock()
		before = w.ws.Stats().Messages
		time.Sleep(interval)
		synctest.Wait()
		if n := w.ws.Stats().Messages - before; n > 3 {
			t.Errorf("%d messages without an offer", n)
		}
	})
}

func TestEvents(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.peer('p', -1)
		torrent := p.add(hash(1))
		count := func(seeders, leechers, downloads int) {
			t.Helper()
			synctest.Wait()
			if s := w.store.Counts(hash(1)); s.Seeders != seeders || s.Leechers != leechers || s.Downloaded != downloads {
				t.Errorf("got %+v, want %d, %d, %d", s, seeders, leechers, downloads)
			}
		}
		count(0, 1, 0)
		p.mu.Lock()
		p.left = 0
		p.mu.Unlock()
		torrent.Completed()
		count(1, 0, 1)
		made := p.made
		time.Sleep(time.Hour)
		count(1, 0, 1)
		if p.made != made {
			t.Error("a seeder makes offers")
		}
		p.mu.Lock()
		p.left = 7
		p.mu.Unlock()
		torrent.Lacking(true)
		torrent.Lacking(true)
		time.Sleep(3 * time.Second)
		count(0, 1, 1)
		if p.made == made {
			t.Error("who lacks data again looks for nobody")
		}
		torrent.Close()
		torrent.Close()
		count(0, 0, 0) // of an empty swarm nothing is kept
		if n := w.ws.Stats().Sockets; n != 0 {
			t.Errorf("%d sockets without a torrent", n)
		}
		// It may come again.
		again := p.add(hash(1))
		count(0, 1, 0)
		if torrent.Status()[0].Connected || !again.Status()[0].Connected {
			t.Error("the one is taken for the other")
		}
	})
}

// What fetches and ends at once, as commands do, is counted all the same.
func TestCompletedAndGone(t *testing.T) {
	inWorld(t, func(w *world) {
		seeder, p := w.peer('s', 0), w.peer('p', -1)
		defer seeder.add(hash(1)).Close()
		torrent := p.add(hash(1))
		synctest.Wait()
		p.mu.Lock()
		p.left = 0
		p.mu.Unlock()
		torrent.Completed()
		torrent.Close()
		synctest.Wait()
		if s := w.store.Counts(hash(1)); s.Seeders != 1 || s.Leechers != 0 || s.Downloaded != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

// What has all before its tracker is there is counted when that comes.
func TestCompletedBeforeTheTracker(t *testing.T) {
	inWorld(t, func(w *world) {
		w.shut()
		p := w.peer('p', -1)
		torrent := p.add(hash(1))
		defer torrent.Close()
		p.mu.Lock()
		p.left = 0
		p.mu.Unlock()
		torrent.Completed()
		synctest.Wait()
		w.open()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := w.store.Counts(hash(1)); s.Seeders != 1 || s.Leechers != 0 || s.Downloaded != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestOffersExpire(t *testing.T) {
	inWorld(t, func(w *world) {
		deaf, leecher := w.peer('d', 0), w.peer('l', 100)
		deaf.busy = true
		deaf.add(hash(1))
		synctest.Wait()
		torrent := leecher.add(hash(1))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if out := leecher.count("out"); out > 5 {
			t.Errorf("%d offers still wait", out)
		}
		if leecher.count("closed") < 10 {
			t.Errorf("%d offers were closed", leecher.count("closed"))
		}
		torrent.Close()
		synctest.Wait()
		if out := leecher.count("out"); out != 0 {
			t.Errorf("%d offers are left", out)
		}
	})
}

// Offers take a while to be made. Nobody is given those of a torrent that is not wanted any more, and those for a socket that
// has ended are made anew for the next.
func TestOffersThatComeTooLate(t *testing.T) {
	for _, closed := range []bool{true, false} {
		inWorld(t, func(w *world) {
			p := w.peer('p', 100)
			p.hold = make(chan struct{})
			torrent := p.add(hash(1))
			synctest.Wait()
			if closed {
				torrent.Close()
			} else {
				w.shut()
				w.open()
				time.Sleep(2 * time.Second)
			}
			close(p.hold)
			synctest.Wait()
			made, messages := 4, uint64(1)
			if closed {
				made, messages = 2, 0
			}
			if p.made != made || p.count("released") != made || w.ws.Stats().Messages != messages {
				t.Errorf("closed %t: of %d offers %d are released, %d messages were sent", closed, p.made, p.count("released"), w.ws.Stats().Messages)
			}
		})
	}
}

func TestATrackerThatGoesAndComes(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.peer('p', 0)
		torrent := p.add(hash(1))
		synctest.Wait()
		w.shut()
		time.Sleep(time.Minute)
		synctest.Wait()
		s := torrent.Status()[0]
		if s.Connected || s.Err == nil || !strings.Contains(s.Err.Error(), "nobody listens") {
			t.Errorf("got %+v", s)
		}
		if w.dials.Load() < 4 || w.dials.Load() > 30 {
			t.Errorf("dialled %d times in a minute", w.dials.Load())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		dials := w.dials.Load()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := w.dials.Load() - dials; n > 400 || n < 120 {
			t.Errorf("dialled %d times in the third hour", n)
		}
		w.open()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := torrent.Status()[0]; !s.Connected || s.Err != nil {
			t.Errorf("got %+v", s)
		}
		if n := w.store.Stats().Peers; n != 1 {
			t.Errorf("%d peers", n)
		}
		if p.lost != 1 {
			t.Errorf("it was lost %d times", p.lost)
		}
		// It was answered since, so that the next time it is dialled soon again.
		w.shut()
		w.open()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := torrent.Status()[0]; !s.Connected {
			t.Errorf("got %+v", s)
		}
	})
}

func TestATrackerThatIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t}
		w.open()
		w.http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		p := w.peer('p', 0)
		torrent := p.add(hash(1))
		if s := torrent.Status()[0]; s != (rendezvous.TrackerStatus{URL: at, Seeders: -1, Leechers: -1}) {
			t.Errorf("at first: %+v", s)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if s := torrent.Status()[0]; s.Err == nil || !strings.Contains(s.Err.Error(), "too long") {
			t.Errorf("got %+v", s)
		}
		_ = p.client.Close()
		w.shut()
	})
}

// Where nothing is heard the line may be dead, and what was offered then lack the addresses that servers would have named.
func TestOffersToASilentTrackerAreNotUsedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(func() []string { return nil })
		p := w.peer('p', 100)
		p.add(hash(1))
		synctest.Wait()
		if p.count("out") == 0 {
			t.Fatal("nothing is offered")
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if n := p.count("released"); n > 0 || p.count("closed") == 0 {
			t.Errorf("%d may be used again, %d are closed", n, p.count("closed"))
		}
		_ = p.client.Close()
	})
}

// Long after something was sent last, a tracker that asks whether the socket still stands hears that it does.
func TestATrackerThatPings(t *testing.T) {
	inWorld(t, func(w *world) {
		k := w.scripted(func() []string { return says(hash(1), `"interval":600`) })
		p := w.peer('p', 0)
		defer p.client.Close()
		p.add(hash(1))
		for n := range int64(3) {
			time.Sleep(25 * time.Second)
			if err := k.socket.Load().WritePing(nil); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := k.pongs.Load(); got != n+1 {
				t.Errorf("%d pongs for %d pings", got, n+1)
			}
		}
		if n := w.dials.Load(); n != 1 {
			t.Errorf("%d sockets", n)
		}
	})
}

func TestATrackerThatRefuses(t *testing.T) {
	inWorld(t, func(w *world) {
		w.http.Handler = http.NotFoundHandler()
		torrent := w.peer('p', 0).add(hash(1))
		synctest.Wait()
		if s := torrent.Status()[0]; s.Err == nil || !strings.Contains(s.Err.Error(), "404") {
			t.Errorf("got %+v", s)
		}
	})
}

// What stands between a peer and its tracker answers in its place: it is said what to do.
func TestWhatIsNoWebSocket(t *testing.T) {
	answer := func(status int, kind, body string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for want, handler := range map[string]http.HandlerFunc{
		"sign in first":                                answer(200, "text/html; charset=utf-8", "<!doctype html><title>Sign in"),
		"does not pass on WebSockets":                  answer(426, "text/plain", "This is a WebTorrent tracker."),
		"sends on to https://login.example:":           answer(302, "text/html", "", "Location", "https://login.example/?back"),
		"the server behind it is not":                  answer(502, "text/html", "<h1>Bad Gateway"),
		"429 Too Many Requests: Too many from you.":    answer(429, "text/plain; charset=utf-8", "Too many\x00from you.\n"),
		"it answers 403 Forbidden, and no WebSocket":   answer(403, "text/html", "<h1>No"),
		"it answers 204 No Content, and no WebSocket":  answer(204, "text/plain", ""),
		"it answers 400 Bad Request: " + long(200)[:9]: answer(400, "text/plain", long(1<<10)),
	} {
		inWorld(t, func(w *world) {
			w.http.Handler = handler
			p := w.peer('p', 0)
			defer p.client.Close()
			torrent := p.add(hash(1))
			synctest.Wait()
			if s := torrent.Status()[0]; s.Err == nil || !strings.Contains(s.Err.Error(), want) || len(s.Err.Error()) > 400 {
				t.Errorf("%v, want %q", s.Err, want)
			}
		})
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// What a tracker refuses is told its user, and not asked of it again for a minute, whatever happens.
func TestATorrentThatIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		known := true
		asked := w.script(func() []string {
			if known {
				known = false
				return says(hash(1), `"interval":15`)
			}
			return says(hash(1), `"failure reason":"not here"`)
		})
		p := w.peer('p', 100)
		defer p.client.Close()
		torrent := p.add(hash(1))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		s := torrent.Status()[0]
		if s.Err == nil || s.Err.Error() != "the tracker refuses: not here" || s != (rendezvous.TrackerStatus{URL: at, Err: s.Err, Seeders: -1, Leechers: -1}) {
			t.Errorf("got %+v", s)
		}
		if p.made != 4 || p.count("released") != 2 {
			t.Errorf("%d offers were made, %d released", p.made, p.count("released"))
		}
		torrent.Wake()
		time.Sleep(58 * time.Second)
		synctest.Wait()
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times, want 2 until a minute has passed", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := asked.Load(); n != 3 {
			t.Errorf("asked %d times, want 3 after a minute", n)
		}
	})
}

// An answer that comes too late is refused as well: that says nothing of the torrent.
func TestAnAnswerThatIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(func() []string {
			return append(says(hash(1), `"complete":1,"incomplete":0`), says(hash(1), `"failure reason":"too late"`)...)
		})
		p := w.peer('p', 0)
		defer p.client.Close()
		torrent := p.add(hash(1))
		synctest.Wait()
		if s := torrent.Status()[0]; !s.Connected || s.Err != nil {
			t.Errorf("got %+v", s)
		}
	})
}

// Trackers say how often they want to hear of a torrent. What makes no sense is not followed.
func TestIntervals(t *testing.T) {
	for name, c := range map[string]struct {
		says        string
		left        int64
		least, most int64 // announces in an hour
	}{
		"as it says":                {`"interval":600`, 0, 7, 8},
		"it does not say":           {`"complete":1`, 0, 31, 36},
		"all the time":              {`"interval":0`, 0, 241, 284},
		"never":                     {`"interval":1e9`, 0, 3, 3},
		"that often and no more":    {`"interval":60,"min interval":60`, 0, 61, 61},
		"no more often than that":   {`"interval":60,"min interval":900`, 0, 5, 5},
		"who has nobody minds it":   {`"interval":900,"min interval":300`, 100, 13, 13},
		"who has nobody is in need": {`"interval":900`, 100, 230, 250},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				asked := w.script(func() []string { return says(hash(1), c.says) })
				p := w.peer('p', c.left)
				defer p.client.Close()
				p.add(hash(1))
				time.Sleep(time.Hour + time.Second)
				synctest.Wait()
				if n := asked.Load(); n < c.least || n > c.most {
					t.Errorf("announced %d times in an hour, want %d to %d", n, c.least, c.most)
				}
			})
		})
	}
}

// Of a large swarm a peer hears at its first announce; then it makes more offers at once, but only until it has enough.
func TestALargeSwarm(t *testing.T) {
	inWorld(t, func(w *world) {
		for n := range 30 {
			w.peer(byte('A'+n), 0).add(hash(1))
		}
		synctest.Wait()
		leecher := w.peer('z', 100)
		leecher.add(hash(1))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if leecher.made != 12 {
			t.Errorf("made %d offers, want 2 and then 10", leecher.made)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if leecher.made != 16 {
			t.Errorf("made %d offers in all, want 16", leecher.made)
		}
	})
}

// A seeder goes on answering, however many have come.
func TestManyComeAndGo(t *testing.T) {
	inWorld(t, func(w *world) {
		seeder := w.peer('s', 0)
		seeder.add(hash(1))
		for n := range 100 {
			synctest.Wait()
			leecher := w.peer(byte(n), 100)
			torrent := leecher.add(hash(1))
			synctest.Wait()
			if len(leecher.accepted[seeder.id]) != 1 {
				t.Fatalf("number %d got no answer", n+1)
			}
			torrent.Close()
		}
	})
}

// The first offers are shared out among the trackers, of which no more are asked than eight.
func TestSeveralTrackers(t *testing.T) {
	for _, c := range []struct{ named, used, offers int }{{1, 1, 2}, {2, 2, 2}, {10, 8, 8}} {
		inWorld(t, func(w *world) {
			w.script(func() []string { return nil })
			p := w.peer('p', 100)
			defer p.client.Close()
			var trackers []string
			for n := range c.named {
				trackers = append(trackers, fmt.Sprint(at, n))
			}
			torrent := p.add(hash(1), trackers...)
			synctest.Wait()
			if used := len(torrent.Status()); used != c.used || p.made != c.offers {
				t.Errorf("of %d trackers %d are used, with %d offers", c.named, used, p.made)
			}
		})
	}
}

// Who has moved to another network does not wait: not for a tracker that was away, nor for a socket that is dead.
func TestMoved(t *testing.T) {
	inWorld(t, func(w *world) {
		w.shut()
		p := w.peer('p', 100)
		defer p.client.Close()
		torrent := p.add(hash(1))
		time.Sleep(time.Hour)
		w.open()
		p.client.Moved(nil)
		synctest.Wait()
		if s := torrent.Status()[0]; !s.Connected {
			t.Fatalf("it waits: %+v", s)
		}
		p.mu.Lock()
		p.carried = 1 // else it comes back often
		p.mu.Unlock()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		dials, messages, made := w.dials.Load(), w.ws.Stats().Messages, p.made
		p.client.Moved([]netip.Addr{netip.MustParseAddr("192.0.2.9")})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if w.dials.Load() != dials || w.ws.Stats().Messages != messages+1 {
			t.Errorf("where another address is gone: %d new sockets, %d messages", w.dials.Load()-dials, w.ws.Stats().Messages-messages)
		}
		if p.made != made {
			t.Errorf("%d offers, though nobody is there whom it has not", p.made-made)
		}
		p.client.Moved([]netip.Addr{{}}) // that of a pipe
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if w.dials.Load() != dials+1 || !torrent.Status()[0].Connected {
			t.Errorf("%d sockets, %+v", w.dials.Load()-dials, torrent.Status()[0])
		}
	})
}

func TestCloseIsPrompt(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.peer('p', 0)
		for n := range 50 {
			p.add(hash(byte(n)))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		since := time.Now()
		if err := p.client.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if took := time.Since(since); took > 2*time.Second || w.store.Stats().Peers != 0 {
			t.Errorf("it took %v, %+v", took, w.store.Stats())
		}
		p.add(hash(1), at, at+"/other")
		synctest.Wait()
		if w.dials.Load() != 1 {
			t.Error("it goes on")
		}
		_ = p.client.Close()
	})
}

func TestCloseWhileDialling(t *testing.T) {
	inWorld(t, func(w *world) {
		w.shut()
		p := w.peer('p', 0)
		torrent := p.add(hash(1), at, "ws://away/announce", "ws://away/announce", "udp://tracker:80", "http://tracker/announce", "::", "wss://", "ws://away/announce#x")
		synctest.Wait()
		if n := len(torrent.Status()); n != 2 {
			t.Errorf("%d trackers in use", n)
		}
		since := time.Now()
		_ = p.client.Close()
		if took := time.Since(since); took > time.Second {
			t.Errorf("it took %v", took)
		}
		w.open()
	})
}

// So many torrents cannot be announced at once; all of them are announced in time, again and again.
func TestManyTorrents(t *testing.T) {
	const many = 10_000
	inWorld(t, func(w *world) {
		p := w.peer('p', 0)
		for n := range many {
			ih := hash(byte(n))
			ih[1], ih[2] = byte(n>>8), byte(n)
			p.add(ih)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := w.store.Stats().Peers; n > 700 {
			t.Errorf("%d announces in two seconds", n)
		}
		for range 3 {
			time.Sleep(4 * time.Minute)
			synctest.Wait()
			if n := w.store.Stats().Peers; n != many {
				t.Errorf("the tracker knows %d", n)
			}
		}
	})
}
