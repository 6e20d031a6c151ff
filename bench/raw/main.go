// Command raw sends bytes over a bare data channel of pion to a page, the yardstick of `node bench/run.mjs gopeer`.
//
//	stdout: offer {"sdp":…}   stdin: {"sdp":…}, the page's answer   stdout: seconds 1.234
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	message   = 64 << 10
	lowWater  = 1 << 20
	highWater = 4 << 20
)

func main() {
	size, err := strconv.Atoi(os.Args[1])
	must(err)
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetSCTPMaxReceiveBufferSize(8 << 20)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	must(err)
	channel, err := pc.CreateDataChannel("raw", nil)
	must(err)
	done := make(chan float64)
	channel.OnOpen(func() { go func() { done <- send(channel, size) }() })
	offer, err := pc.CreateOffer(nil)
	must(err)
	gathered := webrtc.GatheringCompletePromise(pc)
	must(pc.SetLocalDescription(offer))
	<-gathered
	must(json.NewEncoder(os.Stdout).Encode(pc.LocalDescription().SDP))
	var sdp string
	must(json.NewDecoder(os.Stdin).Decode(&sdp))
	must(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}))
	fmt.Printf("seconds %.4f\n", <-done)
	must(pc.Close())
}

// send returns the seconds until the other side says that it has all.
func send(channel *webrtc.DataChannel, size int) float64 {
	low, all := make(chan struct{}, 1), make(chan struct{}, 1)
	channel.SetBufferedAmountLowThreshold(lowWater)
	channel.OnBufferedAmountLow(func() {
		select {
		case low <- struct{}{}:
		default:
		}
	})
	channel.OnMessage(func(webrtc.DataChannelMessage) { all <- struct{}{} })
	block := make([]byte, message)
	_, _ = rand.Read(block)
	start := time.Now()
	for left := size; left > 0; left -= message {
		for channel.BufferedAmount() > highWater {
			<-low
		}
		must(channel.Send(block[:min(left, message)]))
	}
	<-all
	return time.Since(start).Seconds()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
