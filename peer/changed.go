package peer

// suspect is a file that has changed.
type suspect struct {
	seen  stamp // how it looked last
	wrong stamp // how it looked when it was hashed, and found to be another file
}

// fileChanged is called when a file that is seeded does not look as it did when it was verified: none of its pieces is
// given to anybody until it was hashed again. It does not wait for the engine.
func (t *Torrent) fileChanged(c changedError) {
	t.mu.Lock()
	s := t.store
	var all []int
	for i, f := range s.files.files {
		if f.path == c.path {
			all = append(all, i)
		}
	}
	fresh := t.suspect(all)
	if t.problem == nil {
		t.problem = c
	}
	t.mu.Unlock()
	if len(fresh) == 0 {
		return
	}
	t.p.log.Warn("a file that is shared has changed; it is not shared until it is as it was", "file", c.path, "torrent", hexOf(t.ih))
	s.unseal(fresh)
	// Those who are connected believe that it is all here: they are to come again.
	t.p.goWork(t.unload)
}

// suspect notes files that have changed, and returns those that were none before. The lock is held.
func (t *Torrent) suspect(files []int) (fresh []int) {
	for _, i := range files {
		if _, known := t.suspects[i]; !known {
			t.suspects[i] = suspect{}
			fresh = append(fresh, i)
		}
	}
	return fresh
}

// tell lets the engine look again at which of these pieces there are.
func (t *Torrent) tell(pieces []int) {
	t.loading.Lock()
	defer t.loading.Unlock()
	if e := t.engine.Load(); e != nil && e.Info() != nil {
		for _, i := range pieces {
			e.Piece(i).UpdateCompletion()
		}
	}
}

// recheck looks at files that have changed, once a second. One that looks the same for a second time is not being
// written to any more, and its pieces are hashed.
func (t *Torrent) recheck() {
	t.mu.Lock()
	s := t.store
	var quiet []int
	if !t.checks {
		for i, was := range t.suspects {
			now := s.files.look(i)
			if now == was.seen && now != was.wrong && now.exists && now.size == s.files.files[i].size {
				quiet = append(quiet, i)
			}
			was.seen = now
			t.suspects[i] = was
		}
	}
	t.checks = t.checks || len(quiet) > 0
	t.mu.Unlock()
	if len(quiet) > 0 {
		t.p.goWork(func() { t.check(s, quiet) })
	}
}

// check hashes these files. They are suspects still, but for those of which all is right.
func (t *Torrent) check(s *store, quiet []int) {
	// Where one has changed others may have, as when a folder is restored: none of it is right while one that it shares a
	// piece with is not hashed as well.
	var changed []int
	for i := range s.files.files {
		if !s.files.same(i) {
			changed = append(changed, i)
		}
	}
	t.mu.Lock()
	fresh := t.suspect(changed)
	t.mu.Unlock()
	// What was right of what lay there in between says nothing of what lies there now.
	if s.unseal(append(fresh, quiet...)) {
		t.unload()
	}
	t.mu.Lock()
	stamps := append([]stamp(nil), s.files.stamps...)
	for _, i := range quiet {
		stamps[i] = t.suspects[i].seen
	}
	t.mu.Unlock()
	s.files.seal(stamps)               // so that a change while it is hashed is an error
	s.files.handles.forgetAll(s.files) // what is open may be what lay there before

	var missing []int
	for i := range s.meta.pieces {
		if all, _ := s.has(i, i+1); !all {
			missing = append(missing, i)
		}
	}
	good, err := t.p.verify(t.ctx, s.from, s.meta, t.infoBytes(), missing)
	var back []int
	for _, i := range missing {
		if err == nil && good.has(i) {
			s.mark(i, true)
			back = append(back, i)
		}
	}
	t.tell(back)

	t.mu.Lock()
	defer t.mu.Unlock()
	t.checks = false
	for _, i := range quiet {
		t.suspects[i] = suspect{wrong: stamps[i]}
	}
	for i := range t.suspects {
		if err == nil && s.whole(i) && s.files.same(i) {
			delete(t.suspects, i)
		}
	}
	for i := range t.suspects {
		t.problem = changedError{s.files.files[i].path}
		return
	}
	t.problem = nil
	_ = t.p.state.put(entry{t.progressBucket(), t.ih[:], s.snapshot().encode()}) // else it is hashed again some day
}
