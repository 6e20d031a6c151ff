//go:build !linux

package load

func newDriver(r *run, _ bool, dial dial) (driver, error) { return newPump(r, dial), nil }
