package cluster_test

import (
	"context"
	"testing"
	"time"

	"github.com/starling-p2p/starling/cluster"
	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// ear is a bus on which a fuzzer speaks.
type ear map[string]func([]byte)

func (ear) Publish(string, []byte) error { return nil }
func (ear) Connected() bool              { return true }

func (e ear) Subscribe(subject string, f func([]byte)) (func(), error) {
	e[subject] = f
	return func() {}, nil
}

type nobody struct{}

func (nobody) Deliver(ws.Handle, ...[]byte) bool   { return true }
func (nobody) DeliverAnswer(ws.Handle, ...[]byte)  {}
func (nobody) MayReplace(ws.Handle, ws.Proof) bool { return false }

// Whatever comes over the bus, nothing breaks, and what makes no sense is counted.
func FuzzMessages(f *testing.F) {
	hash, handle := testnet.ID('h'), "\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00\x02"
	head, number := "\x01\x00\x00\x00\x07", "\x00\x00\x00\x09"
	item := func(kind byte, body string) string {
		return string([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}) + body
	}
	counts, address := string(make([]byte, 36)), string(make([]byte, 18))
	for _, body := range []string{
		item(1, number+hash+testnet.ID('a')+handle+"\x00\x01\x00\x05\x00\x00\x00\x00"+handle),
		item(2, number+"\x00"+counts+handle+"\x00\x01"+testnet.ID('b')+handle),
		item(3, number+hash+testnet.ID('a')+address+"\x00\x00\x00\x01\x00\x05"),
		item(4, number+"\x00"+counts+"\x00\x01"+testnet.ID('b')+address),
		item(5, number+"\x00\x01"+hash), item(6, number+"\x00\x01"+counts),
		item(7, number+handle+address[:16]), item(7, number+handle+address[:16]+"key 8 by"), item(8, number+"\x01"),
		item(9, number+hash+"\x00\x00\x00\x01\x00\x01"+testnet.ID('a')+handle+"\x01\x00\x00\x00\x05\x00\x01"+testnet.ID('b')+address+"\x00\x00\x00\x00\x00\x00\x05"+"\x01\x02\x03\x04"),
		item(10, number), item(11, hash+testnet.ID('a')+handle),
		item(12, hash+testnet.ID('a')+handle+handle+"\x00\x02id{}"), item(13, handle+"{}"),
		item(14, "\x01\x00\x00\x00\x00\x07nonce678\x00\x00\x03\xe8name"), item(200, "?"),
	} {
		f.Add([]byte(head + body))
		f.Add([]byte(head + body + body[:len(body)-1]))
	}
	f.Add([]byte("\x01\x00\x00\x00\x00\x07nonce678\x00\x00\x03\xe8name"))
	f.Add([]byte("\x02"))

	store := tracker.New[ws.Handle](tracker.Options{Expiry: time.Minute, MaxPeers: 1000})
	bus := ear{}
	node := cluster.New(store, bus, cluster.Options{MaxOffers: 1000, Deadline: 10 * time.Millisecond})
	if err := node.Start(nobody{}); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { node.Close(context.Background()) })
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, hear := range bus {
			hear(append([]byte{}, data...))
		}
	})
}
