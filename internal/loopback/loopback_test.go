package loopback

import "testing"

func TestHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8080": true, "tracker.localhost": true, "127.0.0.1": true, "127.9.9.9:80": true,
		"[::1]:80": true, "[::1]": true, "[::ffff:127.0.0.1]:80": true,
		"": false, "evil.example": false, "localhost.evil.example": false, "notlocalhost": false, "192.0.2.1": false,
		"127.0.0.1.evil.example:8080": false, "0.0.0.0:80": false, "[::]:80": false,
	} {
		if got := Host(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
}
