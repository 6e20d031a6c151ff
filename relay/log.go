package relay

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// loggers gives pion a logger. What it has to say is about strangers' broken messages, whatever level it gives that.
type loggers struct{ log *slog.Logger }

func (l loggers) NewLogger(scope string) logging.LeveledLogger { return logger{l.log, scope} }

type logger struct {
	log   *slog.Logger
	scope string
}

// Each datagram has several of these.
func (logger) Trace(string)          {}
func (logger) Tracef(string, ...any) {}
func (logger) Debug(string)          {}
func (logger) Debugf(string, ...any) {}

func (l logger) Info(m string)                { l.log.Debug(l.scope, "message", m) }
func (l logger) Infof(m string, args ...any)  { l.write(m, args) }
func (l logger) Warn(m string)                { l.log.Debug(l.scope, "message", m) }
func (l logger) Warnf(m string, args ...any)  { l.write(m, args) }
func (l logger) Error(m string)               { l.log.Debug(l.scope, "message", m) }
func (l logger) Errorf(m string, args ...any) { l.write(m, args) }

func (l logger) write(m string, args []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(l.scope, "message", fmt.Sprintf(m, args...))
	}
}
