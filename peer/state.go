package peer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/starling-p2p/starling/seal"
)

// state is the database of a peer, state.db in its data directory:
//
//	added, shared   infohash → record, JSON
//	info            infohash → info dictionary, as hashed
//	progress        infohash → which pieces are verified, and how the files looked then (progress.go); of what is
//	sharedProgress  shared there is another
//	shares          what was asked to be shared → infohash
//
// Each write is one transaction that is on disk when it returns.
type state struct{ db *bolt.DB }

// record is what is remembered of a torrent besides its info dictionary.
type record struct {
	Name     string   `json:"name"`
	Trackers []string `json:"trackers,omitempty"`
	WebSeeds []string `json:"webSeeds,omitempty"`

	// Of a private torrent: Header is the seal's as it came, with its author; Files are what it says, made clean.
	Key    []byte      `json:"key,omitempty"`
	Salt   []byte      `json:"salt,omitempty"`
	Header []byte      `json:"header,omitempty"`
	Files  []seal.File `json:"files,omitempty"`

	// Dir is where the files of what was added go.
	Dir string `json:"dir,omitempty"`
	// As is what they are to be called there; "": as the torrent calls it.
	As string `json:"as,omitempty"`
	// Root is the file or folder that they are to become there, or have become, by Placed.
	Root   string `json:"root,omitempty"`
	Placed bool   `json:"placed,omitempty"`

	// Paths are where the files are that are shared, or placed: absolute, in the order of the torrent, "" for padding.
	Paths [][]byte `json:"paths,omitempty"`
}

var (
	addedBucket          = []byte("added")
	sharedBucket         = []byte("shared")
	infoBucket           = []byte("info")
	progressBucket       = []byte("progress")
	sharedProgressBucket = []byte("sharedProgress")
	sharesBucket         = []byte("shares")
)

func openState(dir string) (*state, error) {
	path := filepath.Join(dir, "state.db")
	before, _ := os.Stat(path)
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout: 300 * time.Millisecond, NoFreelistSync: true, FreelistType: bolt.FreelistMapType,
	})
	switch {
	case err == nil:
	case errors.Is(err, bolt.ErrTimeout):
		return nil, ErrInUse
	case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENODEV):
		return nil, fmt.Errorf("opening %s: %w: %w", path, err, ErrUnfit)
	default:
		if before == nil || before.Size() == 0 {
			_ = os.Remove(path) // the beginning of one, as of a full disk, would end every later process
		}
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{addedBucket, sharedBucket, infoBucket, progressBucket, sharedProgressBucket, sharesBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return prune(tx, func([20]byte) bool { return false })
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("writing to %s: %w", path, err)
	}
	db.MaxBatchDelay = time.Millisecond
	return &state{db}, nil
}

// prune removes what was shared and has changed since: the same paths have another infohash now, and nothing asks for the
// one before, unless it is open.
func prune(tx *bolt.Tx, open func([20]byte) bool) error {
	asked, added := map[string]bool{}, tx.Bucket(addedBucket)
	err := tx.Bucket(sharesBucket).ForEach(func(_, ih []byte) error {
		asked[string(ih)] = true
		return nil
	})
	var old [][]byte
	err = errors.Join(err, tx.Bucket(sharedBucket).ForEach(func(ih, _ []byte) error {
		if !asked[string(ih)] && !open([20]byte(ih)) {
			old = append(old, slices.Clone(ih))
		}
		return nil
	}))
	for _, ih := range old {
		err = errors.Join(err, tx.Bucket(sharedBucket).Delete(ih), tx.Bucket(sharedProgressBucket).Delete(ih))
		if added.Get(ih) == nil {
			err = errors.Join(err, tx.Bucket(infoBucket).Delete(ih))
		}
	}
	return err
}

// prune is that of a database that is open. What it cannot remove is removed at the next start.
func (s *state) prune(open func([20]byte) bool) {
	_ = s.db.Update(func(tx *bolt.Tx) error { return prune(tx, open) })
}

// InUse says whether a peer has this data directory, in whichever process.
func InUse(dataDir string) bool {
	db, err := bolt.Open(filepath.Join(dataDir, "state.db"), 0o600, &bolt.Options{Timeout: time.Millisecond, ReadOnly: true})
	if err == nil {
		_ = db.Close()
	}
	return errors.Is(err, bolt.ErrTimeout)
}

func (s *state) close() error { return s.db.Close() }

// put writes; several values at once are all there or none. What is there already is not written again.
func (s *state) put(values ...entry) error {
	values = slices.DeleteFunc(values, func(v entry) bool { return slices.Equal(s.get(v.bucket, v.key), v.value) })
	if len(values) == 0 {
		return nil
	}
	err := s.db.Batch(func(tx *bolt.Tx) error {
		for _, v := range values {
			if err := tx.Bucket(v.bucket).Put(v.key, v.value); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, bolt.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

type entry struct{ bucket, key, value []byte }

// get returns a copy, nil where there is none.
func (s *state) get(bucket, key []byte) (value []byte) {
	_ = s.db.View(func(tx *bolt.Tx) error {
		if v := tx.Bucket(bucket).Get(key); v != nil {
			value = append([]byte{}, v...)
		}
		return nil
	})
	return value
}

func (s *state) record(bucket []byte, ih [20]byte) *record {
	value := s.get(bucket, ih[:])
	if value == nil {
		return nil
	}
	r := new(record)
	if json.Unmarshal(value, r) != nil {
		return nil
	}
	return r
}

func recordEntry(bucket []byte, ih [20]byte, r *record) entry {
	value, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and bytes
	}
	return entry{bucket, ih[:], value}
}
