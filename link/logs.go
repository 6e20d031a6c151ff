package link

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logs sends what pion has to say to a slog.Logger. Strangers can make it warn, so none of it is above Debug.
type logs struct{ to *slog.Logger }

func (l logs) NewLogger(scope string) logging.LeveledLogger {
	return scoped{l.to.With("pion", scope)}
}

type scoped struct{ to *slog.Logger }

func (s scoped) say(m string) { s.to.Debug(m) }

func (s scoped) sayf(format string, args []any) {
	if s.to.Enabled(context.Background(), slog.LevelDebug) {
		s.to.Debug(fmt.Sprintf(format, args...))
	}
}

func (scoped) Trace(string)                  {}
func (scoped) Tracef(string, ...any)         {}
func (scoped) Debug(string)                  {}
func (scoped) Debugf(string, ...any)         {}
func (scoped) Info(string)                   {}
func (scoped) Infof(string, ...any)          {}
func (s scoped) Warn(m string)               { s.say(m) }
func (s scoped) Warnf(f string, args ...any) { s.sayf(f, args) }
func (s scoped) Error(m string)              { s.say(m) }
func (s scoped) Errorf(f string, a ...any)   { s.sayf(f, a) }
