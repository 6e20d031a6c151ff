package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/webrtc/v4"
)

const (
	// receiveBuffer is SCTP's window, in bytes, for all channels of a link: it allows 600 Mbit/s over 100 ms.
	receiveBuffer = 8 << 20
	// longestTimeout is how long SCTP waits at most before it sends again, as browsers do (RFC 9260 section 6.3.1: 60 s): a
	// way that was cut off or busy for a while is used again soon after.
	longestTimeout = 3 * time.Second
	// growth is how many bytes more SCTP has on its way after each round trip without a loss: eight packets, where RFC 9260
	// (section 7.2.2) has one. That is as much as not quite three connections (√8) would get of a line that loses packets;
	// pages take up to four (docs/protocol.md, "Lanes").
	growth = 8 * 1228
	// gatherWithin is for relays; the other addresses are known at once.
	gatherWithin = 1500 * time.Millisecond
	// renewCertificate is well before pion's certificates end, after a month.
	renewCertificate = 24 * time.Hour
)

// newAPI tunes pion: no media, no multicast DNS, one UDP port, and a proxy unless that is nil.
func newAPI(mux ice.UDPMux, logs logging.LoggerFactory, via *proxied) *webrtc.API {
	s := webrtc.SettingEngine{LoggerFactory: logs}
	s.DetachDataChannels()
	// A write waits until SCTP has taken the one before it, so no more than a message waits for the peer.
	s.EnableDataChannelBlockWrite(true)
	s.SetSCTPMaxReceiveBufferSize(receiveBuffer)
	s.SetSCTPMaxMessageSize(longestMessage)
	s.SetSCTPRTOMax(longestTimeout)
	s.SetSCTPCwndCAStep(growth)
	s.SetICEUDPMux(mux)
	if via != nil {
		s.SetICEProxyDialer(via)
	}
	if _, err := net.Interfaces(); hidden(err) { // which pion takes for an error, though the mux has all it needs
		s.SetNet(new(stdnet.Net))
	}
	s.SetIncludeLoopbackCandidate(true) // the mux has it only where there is nothing else
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	// The way found first is taken, but for relays, which wait for a better one.
	s.SetPrflxAcceptanceMinWait(0)
	s.SetSrflxAcceptanceMinWait(100 * time.Millisecond)
	s.SetRelayAcceptanceMinWait(time.Second)
	return webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(&webrtc.MediaEngine{}), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
}

// connect makes a connection that has no other end yet.
func (ls *Links) connect(servers []webrtc.ICEServer) (*webrtc.PeerConnection, error) {
	certificate, err := ls.certificate()
	if err != nil {
		return nil, err
	}
	api, servers := ls.api, relays(servers)
	if given, via := ls.through(servers); via != nil {
		api, servers = newAPI(ls.mux, ls.pion, via), given
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{ICEServers: servers, Certificates: []webrtc.Certificate{certificate}})
	if err != nil {
		return nil, fmt.Errorf("making a connection: %w", err)
	}
	ls.mu.Lock()
	ls.made++
	ls.mu.Unlock()
	return pc, nil
}

// certificate is one for all links, for a day: making one takes longer than the rest of a connection.
func (ls *Links) certificate() (webrtc.Certificate, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	// Its end is by the clock on the wall, which may have been wrong, or gone on while the machine slept.
	if ls.cert != nil && time.Since(ls.certSince) < renewCertificate && time.Until(ls.cert.Expires()) > renewCertificate {
		return *ls.cert, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("making a key: %w", err)
	}
	c, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("making a certificate: %w", err)
	}
	ls.cert, ls.certSince = c, time.Now()
	return *c, nil
}

// relays leaves the TURN servers; STUN is the mux's own affair.
func relays(servers []webrtc.ICEServer) (some []webrtc.ICEServer) {
	for _, s := range servers {
		var urls []string
		for _, u := range s.URLs {
			if strings.HasPrefix(u, "turn:") || strings.HasPrefix(u, "turns:") {
				urls = append(urls, u)
			}
		}
		if len(urls) > 0 {
			s.URLs = urls
			some = append(some, s)
		}
	}
	return some
}

// describe gathers addresses for a description and returns it as it is to be sent. There is no trickle: the tracker
// carries one message each way.
func (ls *Links) describe(ctx context.Context, pc *webrtc.PeerConnection, d webrtc.SessionDescription, servers []webrtc.ICEServer) (string, error) {
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(d); err != nil {
		return "", fmt.Errorf("describing this end: %w", err)
	}
	reflexive := ls.mux.reflexive(ctx, servers)
	patience := time.NewTimer(gatherWithin)
	defer patience.Stop()
	select {
	case <-gathered:
	case <-patience.C:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	return withCandidates(pc.LocalDescription().SDP, <-reflexive), nil
}

// withCandidates adds candidates to an SDP with one section.
func withCandidates(sdp string, candidates []string) string {
	if len(candidates) == 0 {
		return sdp
	}
	lines := "a=" + strings.Join(candidates, "\r\na=") + "\r\n"
	if at := strings.Index(sdp, "a=end-of-candidates"); at >= 0 {
		return sdp[:at] + lines + sdp[at:]
	}
	return sdp + lines
}
