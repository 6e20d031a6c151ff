package httpd

import "time"

// Tracker is how peers are introduced to one another.
type Tracker struct {
	AnnounceInterval     time.Duration `default:"120s" placeholder:"DURATION" help:"How often peers announce by WebSocket; they are forgotten after twice this (default ${default})."`
	MaxSocketsPerAddress int           `default:"1024" placeholder:"N" help:"Most tracker connections of one IPv4 address or IPv6 /64 (default ${default})."`
}
