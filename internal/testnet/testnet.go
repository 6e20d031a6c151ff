// Package testnet is what Go tests share: a whole server on a free port (server.go) and requests to it (ask.go), waiting
// until something is so (until.go), a network of pipes for tests whose clock is testing/synctest's (pipes.go), a WebSocket
// client that can also misbehave (socket.go), what it says (messages.go), an internet of machines with and without NATs
// before them (nat_linux.go), and a process to which the kernel refuses things (refuse_linux.go).
package testnet
