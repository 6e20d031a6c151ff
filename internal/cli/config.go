package cli

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

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
	name := ""
	if file, ok := r.(*os.File); ok {
		name = file.Name() + ": "
	}
	s := settings{}
	if err := json.Unmarshal(data, &s); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("--config: %sline %d: not JSON: %w", name, 1+bytes.Count(data[:syntax.Offset], []byte("\n")), err)
		}
		return nil, fmt.Errorf("--config: %snot a JSON object of settings, such as {\"log-level\": \"warn\"}", name)
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
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if slices.Contains(known, name) {
			continue
		}
		if on, ok := strings.CutPrefix(name, "no-"); ok && slices.Contains(known, on) {
			return fmt.Errorf("--config: %q is no setting, say %q: false", name, on)
		}
		near := slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
		if distance(name, near) <= 2 {
			return fmt.Errorf("--config: %q is no setting, did you mean %q?", name, near)
		}
		return fmt.Errorf("--config: %q is no setting: they are named as the flags are, without the dashes in front", name)
	}
	return nil
}

// distance is how many letters are to be put in, left out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0]++
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// Resolve leaves to the environment what that says: kong has read it before, and would let the file win.
func (s settings) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	for _, name := range f.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	return fitting(s[f.Name], f)
}

// fitting is a value of JSON as the flag takes it. The types of JSON that do not fit would end as something else: a
// number for a time as so many nanoseconds.
func fitting(value any, f *kong.Flag) (any, error) {
	_, isText := f.Target.Addr().Interface().(encoding.TextUnmarshaler)
	kind := f.Target.Kind()
	switch v := value.(type) {
	case nil, string:
		return v, nil
	case bool:
		if f.IsBool() {
			return v, nil
		}
	case float64:
		switch {
		case f.Target.Type() == reflect.TypeFor[time.Duration]():
			return nil, errors.New("in the file of settings it needs a unit, such as \"90s\", in quotes")
		case isText:
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		case kind == reflect.Float64, v == math.Trunc(v) && (f.Target.CanInt() || f.Target.CanUint()):
			return v, nil
		case f.Target.CanInt() || f.Target.CanUint():
			return nil, errors.New("in the file of settings it is not a whole number")
		}
	case []any:
		for _, one := range v {
			if _, ok := one.(string); !ok || !f.IsSlice() {
				return nil, wrongType(f)
			}
		}
		return v, nil
	}
	return nil, wrongType(f)
}

func wrongType(f *kong.Flag) error {
	switch {
	case f.IsBool():
		return errors.New("in the file of settings it must be true or false")
	case f.IsSlice():
		return errors.New("in the file of settings it must be text in quotes, or a list of such in []")
	case f.Target.CanInt() || f.Target.CanUint() || f.Target.CanFloat():
		return errors.New("in the file of settings it must be a number")
	}
	return errors.New("in the file of settings it must be text, in quotes")
}
