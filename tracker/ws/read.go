package ws

// held says why a socket is not read on.
type held uint8

const (
	free held = iota
	// full: it does not take what it asked for.
	full
	// rushed: its address sends more than it may. It goes on within a second.
	rushed
	// over: its last frame has come, or something after which no other can be told.
	over
)

// take handles the messages in what was read, and before that in what was kept. data is changed, and free again after
// the return. Only the goroutine that reads the socket calls it.
func (k *socket) take(data []byte, now uint32) held {
	left, why := k.frames(k.in.add(data), now)
	k.in.keep(left)
	began := k.began.Load()
	switch waits := why == free && (len(left) > 0 || k.in.opened); {
	case waits && began == 0:
		k.began.Store(now)
	case !waits && began != 0:
		k.began.Store(0)
	}
	return why
}

// frames handles whole frames, as long as there is room for what they lead to, and returns what is left.
func (k *socket) frames(data []byte, now uint32) (left []byte, why held) {
	for len(data) > 0 {
		f, size, missing, code := nextFrame(data, k.in.room())
		if code != 0 {
			k.close(code, "")
			return nil, over
		}
		if size == 0 {
			k.in.missing = missing
			return data, free
		}
		data = data[size:]
		if why := k.frame(f, now); why != free {
			if why == over {
				data = nil
			}
			return data, why
		}
	}
	return nil, free
}

func (k *socket) frame(f frame, now uint32) held {
	k.heard.Store(now)
	k.pinged.Store(0)
	switch f.opcode {
	case opPong:
		return k.next(now)
	case opPing:
		k.send(reply, opPong, f.payload)
		return k.next(now)
	case opClose:
		k.close(farewell(f.payload), "")
		return over
	case opContinuation:
		if !k.in.opened {
			k.close(protocol, "")
			return over
		}
	default:
		if k.in.opened {
			k.close(protocol, "")
			return over
		}
	}
	message := f.payload
	if k.in.opened || !f.final {
		k.in.parts = append(k.in.parts, f.payload...)
		k.in.opened = !f.final
		if !f.final {
			return k.next(now)
		}
		message, k.in.parts = k.in.parts, nil
	}
	k.began.Store(0)
	if k.closing.Load() == 0 {
		k.server.receive(k, message)
		k.source.count(len(k.members) - k.counted)
		k.counted = len(k.members)
	}
	return k.next(now)
}

// next says whether one more frame may be handled now.
func (k *socket) next(now uint32) held {
	switch {
	case k.out.full():
		return full
	case !k.source.admit(now):
		return rushed
	}
	return free
}
