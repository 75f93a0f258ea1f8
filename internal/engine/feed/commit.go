package feed

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/wal"
)

// commit is one commit of a frame.
type commit struct {
	items []byte // of its note
	ops   []byte
	whole []byte // note and operations
	last  base.SeqNum
	clock int64
}

// badFrame says that a frame which verifies makes no sense.
func badFrame(err error) error { return errors.Join(base.ErrCorruption, err) }

// eachCommit takes the payload of a frame apart.
func eachCommit(f wal.Frame, payload []byte, each func(*commit) error) error {
	c := commit{clock: f.Clock}
	next := f.First
	whole := payload
	for rest := payload; len(rest) > 0; {
		items, ops, err := record.CutNote(rest)
		if err != nil {
			return badFrame(err)
		}
		c.items, c.ops = items, ops
		for rest = ops; len(rest) > 0 && !record.IsNote(rest); next++ {
			_, n, err := record.DecodeOp(rest)
			if err != nil {
				return badFrame(err)
			}
			rest = rest[n:]
		}
		c.ops, c.last = ops[:len(ops)-len(rest)], next-1
		c.whole, whole = whole[:len(whole)-len(rest)], rest
		if next > f.Last()+1 {
			break
		}
		if err := each(&c); err != nil {
			return err
		}
	}
	if next != f.Last()+1 {
		return badFrame(fmt.Errorf("frame has %d operations, its header says %d", next-f.First, f.Count))
	}
	return nil
}

// showFrame shows the commits of a frame.
func (r *reader) showFrame(f wal.Frame, payload []byte) error {
	return eachCommit(f, payload, func(c *commit) error {
		if c.last <= r.show.After || r.show.stopped {
			return nil
		}
		if r.raw != nil {
			r.show.stopped = !r.raw(changes.Commit{Position: r.At(c.last), Time: time.UnixMilli(c.clock), Body: c.whole}, nil)
			return nil
		}
		r.show.position, r.show.time = r.At(c.last), time.UnixMilli(c.clock)
		r.keyspace, r.emit = r.Keyspace, r.show.change
		if err := r.decode(c); err != nil {
			return badFrame(err)
		}
		r.show.end()
		return nil
	})
}

// shower hands the changes of commits over, one behind, so that the last one can say
// that it is.
type shower struct {
	Options
	yield    func(changes.Change, error) bool
	position changes.Position
	time     time.Time
	waiting  changes.Change
	waits    bool
	stopped  bool
}

// change takes the next change of the commit.
func (s *shower) change(c changes.Change) {
	if s.stopped || !s.wants(&c) {
		return
	}
	s.hand()
	s.waiting, s.waits = c, true
}

func (s *shower) hand() {
	if s.waits && !s.stopped {
		s.waiting.Position, s.waiting.Time = s.position, s.time
		s.stopped = !s.yield(s.waiting, nil)
	}
	s.waits = false
}

// end ends the commit.
func (s *shower) end() {
	s.waiting.Last = true
	s.hand()
}

// wants reports whether the change is one of those that are asked for.
func (s *shower) wants(c *changes.Change) bool {
	if s.InKeyspace && c.Keyspace != s.Keyspace && !(c.Kind == changes.KindDropAll && s.Keyspace != "") {
		return false
	}
	switch c.Kind {
	case changes.KindMakeKeyspace, changes.KindDropKeyspace, changes.KindDropAll:
		return true
	case changes.KindDeleteRange:
		return (s.Upper == nil || bytes.Compare(c.Lower, s.Upper) < 0) && (c.Upper == nil || bytes.Compare(s.Lower, c.Upper) < 0)
	case changes.KindRename:
		return s.has(c.Key) || s.has(c.To)
	}
	return s.has(c.Key)
}

func (s *shower) has(key []byte) bool {
	return bytes.Compare(key, s.Lower) >= 0 && (s.Upper == nil || bytes.Compare(key, s.Upper) < 0)
}

// Frame shows the changes of one frame whose keyspaces its notes name. Any bytes are
// safe to pass: an error is ErrCorruption, and the last item.
func Frame(f wal.Frame, payload []byte, yield func(changes.Change, error) bool) {
	r := reader{Source: &Source{
		At:       func(base.SeqNum) changes.Position { return changes.Position{} },
		Keyspace: func(uint32) (string, bool) { return "", false },
	}}
	r.names, r.show.yield = map[uint32]string{}, yield
	if err := r.showFrame(f, payload); err != nil && !r.show.stopped {
		yield(changes.Change{}, err)
	}
}
