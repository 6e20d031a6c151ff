package near

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/starling-p2p/starling/internal/watched"
	"github.com/starling-p2p/starling/tracker"
)

// maxFile is the largest database, in bytes; it is kept in memory.
const maxFile = 1 << 30

// Finder tells by a database. It knows MaxMind's and DB-IP's of countries, cities and networks (ASN), and IPinfo's.
type Finder struct{ files *watched.Files[database] }

// database is one that was read, and what was understood of its records last: there are far fewer than networks.
type database struct {
	*maxminddb.Reader
	known [4096]atomic.Uint64 // by where a record lies: that place, 40 bits, and the first three bytes of a Place
}

// Open reads a database of MaxMind's format. Errors name the file.
func Open(path string, log *slog.Logger) (*Finder, error) {
	files, err := watched.Open(watched.Source[database]{
		What:  "a GeoIP database",
		Paths: []string{path},
		Read:  func() (*database, error) { return read(path) },
		About: func(d *database) []any {
			return []any{"made", time.Unix(int64(d.Metadata.BuildEpoch), 0).UTC()}
		},
	}, log)
	return &Finder{files}, err
}

func read(path string) (*database, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading a GeoIP database: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, fmt.Errorf("reading a GeoIP database: %w", err)
	} else if info.Size() > maxFile {
		return nil, errors.New(path + " is larger than a GeoIP database of 1 GiB")
	}
	// Not mapped: whoever writes over a mapped file brings the program down.
	data, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return nil, fmt.Errorf("reading a GeoIP database: %w", err)
	}
	reader, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("%s is no GeoIP database (mmdb): %w", path, err)
	}
	if reader.Metadata.IPVersion != 4 && reader.Metadata.IPVersion != 6 {
		return nil, errors.New(path + " is no database of IP addresses")
	}
	return &database{Reader: reader}, nil
}

// Watch reads the file again when it has changed, and when now says so, until the context ends. One that cannot be read
// leaves things as they are, and the log says so. Peers keep their places until they announce again.
func (f *Finder) Watch(ctx context.Context, now <-chan os.Signal) {
	watched.Watch(ctx, now, func(force bool) { f.files.Again(force) })
}

// nowhere is the continent of those whom the database does not know.
const nowhere = 255

// Place tells where an address is. Safe for concurrent use.
func (f *Finder) Place(a netip.Addr) tracker.Place {
	a = a.Unmap()
	wide, narrow := 12, 16
	if a.Is6() {
		wide, narrow = 24, 32
	}
	d := f.files.Get()
	found := d.Lookup(a)
	if !found.Found() {
		return place(nowhere, of(a, wide), of(a, narrow), of(a, narrow+8))
	}
	at := uint64(found.Offset()) + 1 // 0 is what nobody has asked for
	known := &d.known[at%uint64(len(d.known))]
	v := known.Load()
	if v>>24 != at {
		v = at<<24 | uint64(understand(found)>>8)
		known.Store(v)
	}
	return tracker.Place(v<<8) | tracker.Place(of(a, narrow))
}

// understand reads a record; the last byte is left free.
func understand(found maxminddb.Result) tracker.Place {
	continent := text(found, []any{"continent", "code"}, []any{"continent_code"})
	country := text(found, []any{"country", "iso_code"}, []any{"registered_country", "iso_code"}, []any{"country_code"}, []any{"country"})
	var network string
	var number uint32
	if found.DecodePath(&number, "autonomous_system_number") == nil && number != 0 {
		network = strconv.FormatUint(uint64(number), 10)
	} else if network = text(found, []any{"asn"}); network == "" {
		network = text(found, []any{"subdivisions", 0, "iso_code"})
	}
	return place(1+hash(continent)%(nowhere-1), hash(country), hash(network), 0)
}

// text is the first of several strings that a record has.
func text(found maxminddb.Result, paths ...[]any) (s string) {
	for _, path := range paths {
		// Databases of one maker have numbers where another's have text.
		if found.DecodePath(&s, path...) == nil && s != "" {
			return s
		}
	}
	return ""
}
