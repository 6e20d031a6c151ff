package link_test

import (
	"io"
	"net"
	"testing"

	"github.com/pion/datachannel"
	"github.com/pion/webrtc/v4"
)

const message = 64 << 10

// BenchmarkLink is what a channel carries from one peer to another, and BenchmarkPion what pion itself does with messages
// of that size. Compare them in one run.
func BenchmarkLink(b *testing.B) {
	from, to, stop := pair(b)
	defer stop()
	transfer(b, from, to)
}

func BenchmarkPion(b *testing.B) {
	from, to := rawPair(b, func(*webrtc.SettingEngine) {})
	transfer(b, flowing(b, from), to)
}

// BenchmarkPionBlocking has writes that wait for SCTP, in place of a look at bufferedAmount.
func BenchmarkPionBlocking(b *testing.B) {
	from, to := rawPair(b, func(s *webrtc.SettingEngine) {
		s.EnableDataChannelBlockWrite(true)
		s.SetSCTPMaxReceiveBufferSize(8 << 20)
	})
	transfer(b, from.raw, to)
}

func transfer(b *testing.B, from io.Writer, to io.Reader) {
	data := make([]byte, message)
	b.SetBytes(message)
	done := make(chan error, 1)
	b.ResetTimer()
	go func() {
		buffer := make([]byte, message)
		var err error
		for left := b.N * message; left > 0 && err == nil; {
			var n int
			n, err = to.Read(buffer)
			left -= n
		}
		done <- err
	}()
	for range b.N {
		if _, err := from.Write(data); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

type rawChannel struct {
	dc  *webrtc.DataChannel
	raw datachannel.ReadWriteCloser
}

// flow writes as a browser's page would: while not too much is buffered.
type flow struct {
	rawChannel
	low chan struct{}
}

func flowing(b *testing.B, c rawChannel) *flow {
	f := &flow{c, make(chan struct{}, 1)}
	c.dc.SetBufferedAmountLowThreshold(256 << 10)
	c.dc.OnBufferedAmountLow(func() {
		select {
		case f.low <- struct{}{}:
		default:
		}
	})
	return f
}

func (f *flow) Write(p []byte) (int, error) {
	for f.dc.BufferedAmount() > 1<<20 {
		<-f.low
	}
	return f.raw.Write(p)
}

// rawPair are two ends of a data channel, with nothing of ours.
func rawPair(b *testing.B, tune func(*webrtc.SettingEngine)) (from rawChannel, to io.Reader) {
	b.Helper()
	s := webrtc.SettingEngine{}
	s.DetachDataChannels()
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(net.IP.IsLoopback)
	tune(&s)
	api := webrtc.NewAPI(webrtc.WithSettingEngine(s))
	var ends [2]*webrtc.PeerConnection
	for i := range ends {
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		must(b, err)
		ends[i] = pc
		b.Cleanup(func() { _ = pc.GracefulClose() })
	}
	near, far := make(chan rawChannel, 1), make(chan rawChannel, 1)
	opened := func(dc *webrtc.DataChannel, to chan rawChannel) {
		dc.OnOpen(func() {
			raw, err := dc.Detach()
			if err != nil {
				b.Error(err)
			}
			to <- rawChannel{dc, raw}
		})
	}
	dc, err := ends[0].CreateDataChannel("raw", nil)
	must(b, err)
	opened(dc, near)
	ends[1].OnDataChannel(func(dc *webrtc.DataChannel) { opened(dc, far) })
	describe := func(from, to *webrtc.PeerConnection, d webrtc.SessionDescription, err error) {
		must(b, err)
		gathered := webrtc.GatheringCompletePromise(from)
		must(b, from.SetLocalDescription(d))
		<-gathered
		must(b, to.SetRemoteDescription(*from.LocalDescription()))
	}
	offer, err := ends[0].CreateOffer(nil)
	describe(ends[0], ends[1], offer, err)
	answer, err := ends[1].CreateAnswer(nil)
	describe(ends[1], ends[0], answer, err)
	return <-near, (<-far).raw
}
