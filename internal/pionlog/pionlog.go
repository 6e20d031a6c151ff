// Package pionlog writes down what pion has to say. Most of that is about strangers' broken messages, whatever level pion
// gives it, so none of it is above Debug; what there is of each datagram is left out.
package pionlog

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// To makes loggers that write to this one.
func To(log *slog.Logger) logging.LoggerFactory { return loggers{log} }

type loggers struct{ to *slog.Logger }

func (l loggers) NewLogger(scope string) logging.LeveledLogger {
	return logger{l.to.With("pion", scope)}
}

type logger struct{ to *slog.Logger }

func (l logger) say(m string) { l.to.Debug(m) }

func (l logger) sayf(format string, args []any) {
	if l.to.Enabled(context.Background(), slog.LevelDebug) {
		l.to.Debug(fmt.Sprintf(format, args...))
	}
}

func (logger) Trace(string)                        {}
func (logger) Tracef(string, ...any)               {}
func (logger) Debug(string)                        {}
func (logger) Debugf(string, ...any)               {}
func (l logger) Info(m string)                     { l.say(m) }
func (l logger) Infof(format string, args ...any)  { l.sayf(format, args) }
func (l logger) Warn(m string)                     { l.say(m) }
func (l logger) Warnf(format string, args ...any)  { l.sayf(format, args) }
func (l logger) Error(m string)                    { l.say(m) }
func (l logger) Errorf(format string, args ...any) { l.sayf(format, args) }
