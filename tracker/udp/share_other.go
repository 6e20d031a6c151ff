//go:build !linux

package udp

import "syscall"

const sharesPort = false

func sharePort(_, _ string, _ syscall.RawConn) error { return nil }
