package load

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"
)

func TestQuantiles(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("nothing has a quantile")
	}
	for i := range 10_000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	for share, want := range map[float64]time.Duration{0.5: 5000, 0.99: 9900, 0.999: 9990, 1: 10_000} {
		want *= time.Microsecond
		if got := h.quantile(share); got < want || got > want+want/100 {
			t.Errorf("%v: %v, not %v", share, got, want)
		}
	}
	h.add(-1)
	h.add(1<<63 - 1)
	if h.quantile(1) != 1<<63-1 {
		t.Error("the longest time there is, is not counted")
	}
}

func TestBuckets(t *testing.T) {
	last := -1
	for v := uint64(1); v < 1<<62; v += v/50 + 1 {
		b := bucket(v)
		if b < last || uint64(upper(b)) < v || uint64(upper(b)) > v+v/100 {
			t.Fatalf("%d is in bucket %d, up to %d", v, b, upper(b))
		}
		last = b
	}
}

func TestMessages(t *testing.T) {
	places, _, _ := deal(Options{Connections: 3, Hot: 1})
	r := &run{sdp: sdp()}
	var announce struct {
		InfoHash string `json:"info_hash"`
		PeerID   string `json:"peer_id"`
		Offers   []struct {
			ID    string `json:"offer_id"`
			Offer struct{ Type, SDP string }
		}
	}
	b := r.appendAnnounce(nil, places[0], 12345*time.Second, 3)
	if err := json.Unmarshal(b, &announce); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if len(announce.InfoHash) != 20 || len(announce.PeerID) != 20 || len(announce.Offers) != 3 || len(announce.Offers[2].ID) != 20 {
		t.Errorf("%+v", announce)
	}
	if n := len(announce.Offers[0].Offer.SDP); n < sdpSize || n > sdpSize+100 {
		t.Errorf("an SDP of %d bytes", n)
	}
	if due, ok := offerDue([]byte(announce.Offers[1].ID)); !ok || due != 12345*time.Second {
		t.Errorf("due %v, %v", due, ok)
	}
	if _, ok := offerDue([]byte("somebody else's offer")); ok {
		t.Error("that offer is not ours")
	}
	if b := r.appendAnswer(nil, places[1], []byte(places[0].id), []byte(announce.Offers[0].ID)); !json.Valid(b) {
		t.Errorf("not JSON: %s", b)
	}
}

func TestMember(t *testing.T) {
	for _, c := range []struct{ message, want string }{
		{`{"a":"x","offer_id":"y"}`, "y"},
		{`{ "offer_id" : "y\"z\\" }`, `y\"z\\`},
		{`{"a":"\"offer_id\":\"x\"","offer_id":"y"}`, "y"},
		{`{"offer_id":12}`, "12}"},
		{`{"offer_id":"y`, ""},
		{`{"offer_id"`, ""},
		{`{}`, ""},
	} {
		if got, ok := member([]byte(c.message), "offer_id"); string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v", c.message, got, ok)
		}
	}
}

func TestDeal(t *testing.T) {
	places, swarms, hot := deal(Options{Connections: 100, Hot: 0.1, Swarms: 30, Seed: 7})
	if len(places) != 100 || swarms != 31 || hot != 10 {
		t.Fatalf("%d places in %d swarms, %d in the hot one", len(places), swarms, hot)
	}
	sizes := map[string]int{}
	for _, p := range places {
		sizes[p.hash]++
	}
	for hash, n := range sizes {
		if hash != Infohash(7, 0) && n != 3 {
			t.Errorf("%d peers in %s", n, hash)
		}
	}
	if sizes[Infohash(7, 0)] != 10 || Infohash(7, 0) != "00000007000000000000" {
		t.Errorf("the hot swarm is not %s", Infohash(7, 0))
	}
}

func TestOthers(t *testing.T) {
	if got := processorList("0-2,7"); !slices.Equal(got, []int{0, 1, 2, 7}) {
		t.Errorf("%v", got)
	}
	if got := processorList("0-x"); got != nil {
		t.Errorf("%v", got)
	}
	const stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 20 30 4000 500 6 7 8 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 1 2 3 4 5 6 7 8 9\n"
	if got := busy(stat, []int{0}); got != 1710*time.Millisecond {
		t.Errorf("busy for %v", got)
	}
	began := time.Now()
	for cpu, many := range map[time.Duration]bool{2 * time.Second: false, 1900 * time.Millisecond: true} {
		got := others(usage{began, time.Second, 0}, usage{began.Add(2 * time.Second), 3 * time.Second, cpu}, 1)
		if got == nil || got.Many != many || got.Share < 0 || got.Share > 0.051 {
			t.Errorf("with %v of 2 s the tracker's: %+v", cpu, got)
		}
	}
	// A process may run where it may run itself.
	if watch(0)() != nil || watch(os.Getpid())() != nil {
		t.Error("others were told apart that cannot be")
	}
}
