package testnet

import (
	"errors"
	"testing"
	"time"
)

// patience is how long a test waits for what a machine a third as fast as ours does in its own time.
const patience = time.Minute

var errNotYet = errors.New("waited in vain")

// Until waits until something is so, and fails the test where it is not within a minute. what names it in that case.
func Until(t testing.TB, what string, so func() bool) {
	t.Helper()
	UntilRight(t, what, func() error {
		if so() {
			return nil
		}
		return errNotYet
	})
}

// UntilRight is Until for what can say what is wrong still.
func UntilRight(t testing.TB, what string, wrong func() error) {
	t.Helper()
	for late := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := wrong()
		if err == nil {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("until %s: %v", what, err)
		}
	}
}
