package commit

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
)

// Replica reports whether the section takes changes by Replay alone.
func (s *Section) Replica() bool { return s.cfg.Replica }

// Replay commits a change of another store under the sequences that it has there, of which
// first is the first one: above all that was committed. Sequences between are passed over,
// as they were there. One goroutine at a time replays, and nobody else commits.
func (s *Section) Replay(c *Change, first base.SeqNum, level commitlog.Level) error {
	last := s.LastSeq()
	if first <= last {
		return base.Errorf(base.ErrBadOption, "the commit begins with sequence %d, and the store has all up to %d", first, last)
	}
	if first > last+1 {
		// A frame has sequences without a gap: what gathers for it must be written.
		if err := s.Wait(s.log.Appended(), commitlog.Written); err != nil {
			return err
		}
		s.SkipSeqs(first - 1 - last)
	}
	c.replayed = true
	return s.Commit(c, level)
}
