//go:build !unix

package relay

import "syscall"

const sharesPorts = false

func sharePort(string, string, syscall.RawConn) error { return nil }

// noFamily takes any failure for a system without IPv6: IPv4 works already.
func noFamily(error) bool { return true }
