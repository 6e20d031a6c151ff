// Package gate decides who is served: how often an address may ask (Limiter), which torrents there may be (List), and,
// where a tracker is private, whose announce URLs are good (Users).
//
//	tracker/http, tracker/udp ── address ──► Limiter: now, or not now
//	                          ── path ─────► Users ◄── the operator's secret and file of the revoked
//	tracker.Store ── infohash ─────────────► List ◄─── the operator's files, read again when they change
package gate
