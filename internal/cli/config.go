package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// settings is what a configuration file holds: flags' names, without the dashes in front, and their values.
type settings map[string]any

var _ kong.Resolver = settings(nil)

func configFile(r io.Reader) (kong.Resolver, error) {
	data, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, err
	}
	s := settings{}
	if err := json.Unmarshal(data, &s); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("line %d: not JSON: %w", 1+bytes.Count(data[:syntax.Offset], []byte("\n")), err)
		}
		return nil, fmt.Errorf("not a JSON object of settings: %w", err)
	}
	return s, nil
}

// Validate refuses names that are no flags': a setting misspelt would otherwise just not work.
func (s settings) Validate(app *kong.Application) error {
	var known []string
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && f.Name != "help" && f.Name != "config" {
			known = append(known, f.Name)
		}
		return next(nil)
	})
	for name := range s {
		if !slices.Contains(known, name) {
			slices.Sort(known)
			return fmt.Errorf("the configuration file has %q, which is no setting; there are: %s", name, strings.Join(slices.Compact(known), ", "))
		}
	}
	return nil
}

// Resolve leaves to the environment what that says: kong has read it before, and would let the file win.
func (s settings) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	for _, name := range f.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	return s[f.Name], nil
}
