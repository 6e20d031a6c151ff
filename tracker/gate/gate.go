// Package gate decides who is served: how often an address may ask (Limiter), and which torrents there may be (List).
//
//	tracker/http, tracker/udp ── address ──► Limiter: now, or not now
//	tracker.Store ── infohash ──► List ◄── the operator's files, read again when they change
package gate
