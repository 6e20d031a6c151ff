package httpd

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// onHangup runs what watches for SIGHUP. From its return on, the signal does not end the program.
func onHangup(ctx context.Context, watch func(<-chan os.Signal)) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		watch(hangup)
		<-ctx.Done()
		signal.Stop(hangup)
	}()
}
