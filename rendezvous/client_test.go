package rendezvous_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxzan/gws"
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
	})
}

func TestOneSocketForAllTorrents(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.peer('p', 0)
		for n := range 100 {
			p.add(hash(byte(n)))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := w.store.Stats(); w.dials.Load() != 1 || s.Peers != 100 || s.Swarms != 100 {
			t.Errorf("%d sockets, %+v", w.dials.Load(), s)
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
	})
}

func TestATrackerThatIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t}
		w.open()
		w.http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		p := w.peer('p', 0)
		torrent := p.add(hash(1))
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
		up := gws.NewUpgrader(&gws.BuiltinEventHandler{}, nil)
		w.http.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if socket, err := up.Upgrade(rw, r); err == nil {
				go socket.ReadLoop()
			}
		})
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
		if p.add(hash(1)); w.dials.Load() != 1 {
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
