package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/starling-p2p/starling/internal/pionlog"
)

func TestServersAreAskedBeforeCredentialsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var fails error
		lasts := time.Hour
		s := servers{log: slog.New(slog.DiscardHandler), ask: func(context.Context) ([]webrtc.ICEServer, error) {
			asked++
			end := time.Now().Add(lasts).Unix()
			return []webrtc.ICEServer{{URLs: []string{"turn:a"}, Username: fmt.Sprintf("%d:x", end)}}, fails
		}}
		get := func(want int, some bool) {
			t.Helper()
			if got := s.get(t.Context()); asked != want || (len(got) > 0) != some {
				t.Errorf("asked %d times, want %d; got %v", asked, want, got)
			}
		}
		get(1, true)
		time.Sleep(serversHold - time.Second)
		get(1, true)
		time.Sleep(time.Second)
		lasts = 12 * time.Minute
		get(2, true)
		time.Sleep(7*time.Minute - 2*time.Second)
		get(2, true)
		time.Sleep(2 * time.Second)
		fails = errors.New("away")
		get(3, true) // the old ones hold still
		time.Sleep(askAgain - time.Second)
		get(3, true)
		time.Sleep(6 * time.Minute)
		get(4, false)
		fails, lasts = nil, time.Minute
		time.Sleep(askAgain)
		get(5, true)
		get(5, true) // it is not asked all the time
	})
}

// addressesIn are those of the candidates in an SDP, by their kind.
func addressesIn(t *testing.T, sdp string) map[string][]netip.AddrPort {
	t.Helper()
	all := map[string][]netip.AddrPort{}
	for line := range strings.Lines(sdp) {
		f := strings.Fields(line)
		if !strings.HasPrefix(line, "a=candidate:") || f[1] != "1" {
			continue
		}
		at, err := netip.ParseAddrPort(net.JoinHostPort(f[4], f[5]))
		if err != nil {
			t.Fatal(err)
		}
		all[f[7]] = append(all[f[7]], at)
	}
	return all
}

func TestOnePortOnAllAddresses(t *testing.T) {
	h, err := New(Options{PeerID: PeerID{1}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	o, err := h.Offer(t.Context(), InfoHash{1})
	if err != nil {
		t.Fatal(err)
	}
	want, err := Addresses()
	if err != nil {
		t.Fatal(err)
	}
	got := addressesIn(t, o.SDP)
	if len(got) != 1 || len(got["host"]) != len(want) {
		t.Fatalf("got %v, want hosts %v", got, want)
	}
	for _, at := range got["host"] {
		if int(at.Port()) != h.Port() || !slices.Contains(want, at.Addr()) {
			t.Errorf("%v is not of %v, or its port is not %d", at, want, h.Port())
		}
	}
	again, err := New(Options{PeerID: PeerID{2}, Listen: fmt.Sprintf(":%d", h.Port())})
	if err == nil {
		again.Close()
		t.Error("a port that is taken serves two peers")
	}
}

func TestAddressesComeAndGo(t *testing.T) {
	m, err := newMux("127.0.0.1:0", usual, pionlog.To(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, next := range []string{"127.0.0.2", "127.0.0.1", "127.0.0.1"} {
		m.mu.Lock()
		m.only, m.scanned = netip.MustParseAddr(next), time.Time{}
		m.mu.Unlock()
		got := m.GetListenAddresses()
		if len(got) != 1 || got[0].String() != fmt.Sprintf("%s:%d", next, m.port) {
			t.Errorf("listens on %v, want %s", got, next)
		}
		conn, err := m.GetConn("ufrag", got[0])
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if _, err := m.GetConn("ufrag", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9), Port: m.port}); err == nil {
			t.Error("a conn at an address that is not there")
		}
		m.RemoveConnByUfrag("ufrag")
	}
}

// given are links on the loopback that are given these servers, or none; asked says how often they have asked for them.
func given(t *testing.T, open func(Options) (*Links, error), servers ...string) (h *Links, asked func() int) {
	t.Helper()
	var count atomic.Int32
	h, err := open(Options{PeerID: PeerID{1}, Listen: "127.0.0.1:0", ICEServers: func(context.Context) ([]webrtc.ICEServer, error) {
		count.Add(1)
		if len(servers) == 0 {
			return nil, nil
		}
		return []webrtc.ICEServer{{URLs: servers}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h, func() int { return int(count.Load()) }
}

func TestOffersOfAnotherNetworkAreClosed(t *testing.T) {
	h, _ := given(t, New)
	o, err := h.Offer(t.Context(), InfoHash{1})
	if err != nil {
		t.Fatal(err)
	}
	h.Moved([]netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("::1")})
	if n := h.Stats().Offers; n != 1 {
		t.Fatalf("%d offers, though its address stays", n)
	}
	h.Moved([]netip.Addr{netip.MustParseAddr("127.0.0.1")})
	if n := h.Stats().Offers; n != 0 {
		t.Errorf("%d offers", n)
	}
	if err := o.Accept(t.Context(), PeerID{9}, "nonsense"); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// A server that was started anew knows nothing of what it gave and relayed before.
func TestAServerThatWasAwayIsAskedAgain(t *testing.T) {
	h, asked := given(t, New)
	for range 2 {
		o, err := h.Offer(t.Context(), InfoHash{1})
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		o.Release()
	}
	if asked() != 1 || h.Stats().Made != 1 {
		t.Errorf("asked %d times, for %d connections", asked(), h.Stats().Made)
	}
	h.Renew()
	if n := h.Stats().Offers; n != 0 {
		t.Errorf("%d offers of before", n)
	}
	if _, err := h.Offer(t.Context(), InfoHash{1}); err != nil || asked() != 2 {
		t.Errorf("asked %d times, %v", asked(), err)
	}
}

// A machine that learns the time when it is on the net already, or slept for a month, has a certificate that has ended.
func TestACertificateThatHasEnded(t *testing.T) {
	h, err := New(Options{PeerID: PeerID{1}, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	h.certSince = now
	h.cert, err = webrtc.NewCertificate(key, x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.AddDate(0, -2, 0), NotAfter: now.AddDate(0, -1, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Offer(t.Context(), InfoHash{1}); err != nil {
		t.Error(err)
	}
}

func TestListenRefusesNonsense(t *testing.T) {
	for _, listen := range []string{"here", "localhost:0", "127.0.0.1:99999", "192.0.2.77:0"} {
		if h, err := New(Options{Listen: listen}); err == nil {
			_ = h.Close()
			t.Errorf("%q is no address to listen on", listen)
		}
	}
}

// stunServer tells everybody that they are at 198.51.100.7, and counts.
func stunServer(t *testing.T) (address string, asked func() int) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted, count := make(chan int, 1), 0
	counted <- 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			request := &stun.Message{Raw: slices.Clone(buffer[:n])}
			if request.Decode() != nil {
				continue
			}
			count = <-counted
			counted <- count + 1
			answer, _ := stun.Build(request, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IPv4(198, 51, 100, 7), Port: 4321}, stun.Fingerprint)
			_, _ = conn.WriteTo(answer.Raw, from)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return conn.LocalAddr().String(), func() int {
		n := <-counted
		counted <- n
		return n
	}
}

func TestAddressesAsSeenFromOutside(t *testing.T) {
	server, asked := stunServer(t)
	h, _ := given(t, New, "stun:"+server, "stun:127.0.0.1:9", "stun:no.invalid", "nonsense")
	for range 3 {
		o, err := h.Offer(t.Context(), InfoHash{1})
		if err != nil {
			t.Fatal(err)
		}
		if got := addressesIn(t, o.SDP)["srflx"]; len(got) != 1 || got[0] != netip.MustParseAddrPort("198.51.100.7:4321") {
			t.Errorf("got %v in %s", got, o.SDP)
		}
		if err := o.Accept(t.Context(), PeerID{9}, "nonsense"); !errors.Is(err, ErrSDP) {
			t.Error(err)
		}
		o.Close()
		h.mu.Lock()
		for id := range h.offers {
			h.discard(id)
		}
		h.unlock()
	}
	if n := asked(); n != 1 {
		t.Errorf("asked %d times, once is enough for a while", n)
	}
}

// While an offer may be used, the router is kept from forgetting what the offer says, and no longer.
func TestThePortIsKeptOpen(t *testing.T) {
	server, asked := stunServer(t)
	h, _ := given(t, Hurried, "stun:"+server)
	if _, err := h.Offer(t.Context(), InfoHash{1}); err != nil {
		t.Fatal(err)
	}
	kept := func() bool {
		h.mux.mu.Lock()
		defer h.mux.mu.Unlock()
		return h.mux.keeper != nil
	}
	for kept() {
		time.Sleep(time.Millisecond)
	}
	if n := asked(); n < 3 {
		t.Errorf("asked %d times", n)
	}
}
