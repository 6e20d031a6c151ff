package testnet

import (
	"fmt"
	"strings"
)

// ID is an infohash, a peer's or an offer's: 20 times the same letter.
func ID(letter byte) string { return strings.Repeat(string(rune(letter)), 20) }

// Announce is a message of the peer with this letter, with more members at the end.
func Announce(hash string, peer byte, more ...string) string {
	return fmt.Sprintf(`{"action":"announce","info_hash":%q,"peer_id":%q%s}`, hash, ID(peer), strings.Join(append([]string{""}, more...), ","))
}

// Offers is a member of an announce: so many offers, named A, B, C, and so on.
func Offers(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"offer":{"type":"offer","sdp":"sdp %d"},"offer_id":%q}`, i, ID('A'+byte(i)))
	}
	return `"offers":[` + strings.Join(all, ",") + `]`
}

// Answer is a peer's to the offer of another.
func Answer(hash string, peer, to, offer byte) string {
	return Announce(hash, peer, fmt.Sprintf(`"to_peer_id":%q,"offer_id":%q,"answer":{"type":"answer","sdp":"yes"}`, ID(to), ID(offer)))
}
