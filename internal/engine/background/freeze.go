package background

import (
	"errors"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
)

// frozen are the tables that merges leave alone, because one of them met damage
// there: whatever needs such a table would fail again, and all that it has read and
// written would be for nothing. A merge may try again after a while, since what was
// damaged may have been the reading alone. Work.mu guards it.
type frozen map[base.FileNum]frost

// frost is how long a table is left alone.
type frost struct {
	until time.Time
	next  time.Duration // after the next failure
}

const (
	firstFrost = time.Minute
	longFrost  = time.Hour
)

// freeze sets the input of c aside whose damage err tells of, and reports whether it
// had been set aside before.
func (w *Work) freeze(c *compaction.Compaction, err error) (again bool) {
	var damage *base.CorruptionError
	if !errors.As(err, &damage) {
		return false
	}
	kind, num := base.ParseFilename(damage.File)
	if kind != base.FileTable || !c.Takes(num) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f, again := w.frozen[num]
	d := max(f.next, firstFrost)
	if w.frozen == nil {
		w.frozen = frozen{}
	}
	w.frozen[num] = frost{until: time.Now().Add(d), next: min(2*d, longFrost)}
	return again
}

// thaw forgets the tables that are no longer in v, and returns those that are to be
// left alone now.
func (w *Work) thaw(v *manifest.Version) map[base.FileNum]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.frozen) == 0 {
		return nil
	}
	kept, cold := frozen{}, map[base.FileNum]bool{}
	for _, t := range v.AllTables() {
		f, ok := w.frozen[t.Num]
		if !ok {
			continue
		}
		if kept[t.Num] = f; time.Now().Before(f.until) {
			cold[t.Num] = true
		}
	}
	w.frozen = kept
	return cold
}

// Frozen returns how many tables merges leave alone, or did when they last met them.
func (w *Work) Frozen() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.frozen)
}
