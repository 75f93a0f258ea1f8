package background

import (
	"errors"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
)

// tooLarge is a merge that the disk had no room for. On a disk that is nearly full
// one merge may fit where another does not: how much a merge frees only shows when it
// is carried out. So others are tried meanwhile, and this one again when there is
// more room than it had, or after a while: not every file system tells how much it
// has.
type tooLarge struct {
	merge *compaction.Compaction
	free  int64 // bytes that the disk had when it began; negative if not known
	until time.Time
	wait  time.Duration
}

const (
	firstLargeWait = 10 * time.Second
	lastLargeWait  = 5 * time.Minute
)

// noteRoom notes what the end of c, which began with so many bytes free, says of the
// room on the disk. Work.mu is not held.
func (w *Work) noteRoom(c *compaction.Compaction, free int64, err error) {
	if c.Kind != compaction.KindMerge || err != nil && !errors.Is(err, base.ErrNoSpace) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.tooLarge, func(t tooLarge) bool { return t.merge.SameInputs(c) })
	wait := firstLargeWait
	if i >= 0 {
		wait = min(2*w.tooLarge[i].wait, lastLargeWait)
		w.tooLarge = slices.Delete(w.tooLarge, i, i+1)
	}
	if err != nil {
		w.tooLarge = append(w.tooLarge, tooLarge{c, free, time.Now().Add(wait), wait})
	}
}

// stillTooLarge returns the merges of tables of v that the disk has no more room for
// than when they failed, and forgets those of other tables. It asks the file system
// if there are any.
func (w *Work) stillTooLarge(v *manifest.Version) (merges []*compaction.Compaction) {
	w.mu.Lock()
	none := len(w.tooLarge) == 0
	w.mu.Unlock()
	if none {
		return nil
	}
	free := w.cfg.Dir.Free()
	listed := map[base.FileNum]bool{}
	for _, t := range v.AllTables() {
		listed[t.Num] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tooLarge = slices.DeleteFunc(w.tooLarge, func(t tooLarge) bool { return !t.merge.Within(listed) })
	for _, t := range w.tooLarge {
		if (free < 0 || free <= t.free) && time.Now().Before(t.until) {
			merges = append(merges, t.merge)
		}
	}
	return merges
}
