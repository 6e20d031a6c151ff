package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// kongs are what kong says in a programmer's words, and the same in plain ones.
var kongs = []struct {
	said  *regexp.Regexp
	plain string
}{
	{regexp.MustCompile(`: expected (\S+ value|duration|int|uint|float) but got "EOL" \(<EOL>\)`), " needs a value"},
	{regexp.MustCompile(`: expected \S+ value but got "(-[^"]*)" \(short flag\); perhaps try (--[\w-]+)=.*\?`), " $1 looks like a flag: write $2=$1"},
	{regexp.MustCompile(`: expected \S+ value but got "-[^"]*" \(long flag\); perhaps try .*\?`), " needs a value"},
	{regexp.MustCompile(`: expected duration but got ("[^"]*"): time: .*?"( \(from envar|$)`), " $1 is no time, such as 90s, 5m or 1h$2"},
	{regexp.MustCompile(`: expected a valid \d+ bit u?int but got ("[^"]*")`), " $1 is no whole number, or too large"},
	{regexp.MustCompile(`: expected a float but got ("[^"]*") \(string\)`), " $1 is no number"},
	{regexp.MustCompile(`from envar`), "from the environment:"},
	{regexp.MustCompile(`^expected "(.*)"$`), "$1 is missing"},
}

// usage says what is wrong with the command line, the environment or the file of settings, and where to read on.
func usage(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return fmt.Errorf("--config: the file of settings cannot be read: %w", file)
	}
	text, command := err.Error(), "starling"
	for _, k := range kongs {
		text = k.said.ReplaceAllString(text, k.plain)
	}
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			command = node.FullPath()
		} else if flag := early(parse.Context.Model.Node, text); flag != "" {
			text = "unknown flag " + flag + ": it goes after the command"
		}
	}
	return fmt.Errorf("%s (see %s --help)", text, command)
}

// early returns the flag that is unknown before a command, if some command has it.
func early(app *kong.Node, text string) string {
	text, unknown := strings.CutPrefix(text, "unknown flag ")
	flag, _, _ := strings.Cut(text, ",") // , did you mean …
	name := strings.TrimPrefix(strings.TrimLeft(flag, "-"), "no-")
	for _, command := range app.Leaves(false) {
		if unknown && slices.ContainsFunc(command.Flags, func(f *kong.Flag) bool { return name == f.Name || name == string(f.Short) }) {
			return flag
		}
	}
	return ""
}

// logLevel is a flag's slog.Level.
type logLevel slog.Level

// UnmarshalText reads what a person wrote.
func (l *logLevel) UnmarshalText(text []byte) error {
	if err := (*slog.Level)(l).UnmarshalText(text); err != nil {
		return fmt.Errorf("%q is none of debug, info, warn and error", text)
	}
	return nil
}

func (l logLevel) logger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.Level(l)}))
}
