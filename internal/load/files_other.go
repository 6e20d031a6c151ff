//go:build !linux && !darwin

package load

// allowFiles leaves it to connecting to tell when there are too many.
func allowFiles(int) error { return nil }
