package commit

import (
	"errors"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
)

// rung is a section and a change, as obstacleLocked finds them.
type rung struct {
	s       *Section
	c       *Change
	sealed  *memtable.Table
	checked base.SeqNum
}

// newRung returns one without an obstacle: an empty memtable, a log with room.
func newRung(t *testing.T, limit int64) *rung {
	t.Helper()
	r := &rung{s: newSection(t, limit), c: NewChange()}
	r.c.Put(nil, []byte("key"), []byte("value"), base.MakeAttr(base.KindPut, 1, false), 0)
	mem := &readstate.Mem{Table: r.s.Recycler.New(), Log: 9, Usual: true}
	r.s.Start(commitlog.New(1, commitlog.Segment{Number: 9, Reserved: 1 << 20}, nil), mem, 5)
	r.publish(&manifest.Version{}, mem)
	return r
}

func (r *rung) publish(v *manifest.Version, mem *readstate.Mem, imms ...*readstate.Mem) {
	r.s.states.Publish(func(rs *readstate.State) { rs.Version, rs.Mem, rs.Imms = v, mem, imms })
}

// full is a memtable as large as two may be, that waits to be flushed.
func full(log base.FileNum) *readstate.Mem {
	t := memtable.New(2 * testMemtable)
	for i := 0; t.Bytes() < 2*testMemtable; i++ {
		row := []byte{1, byte(i >> 8), byte(i)}
		t.Add(base.HashRow(row), row, base.Trailer{Seq: 1, Attr: base.MakeAttr(base.KindPut, 1, false)}, make([]byte, 1<<14))
	}
	return &readstate.Mem{Table: t, Log: log}
}

func (r *rung) readAPoint() {
	r.c.Reads = &readset.Set{Seq: 3}
	r.c.Reads.AddPoint(base.HashRow([]byte("row")), []byte("row"))
	r.checked = 3
}

func TestTheLadderFindsEachObstacle(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit int64
		set   func(*testing.T, *rung)
		want  obstacle
		err   error
	}{
		{name: "nothing in the way", set: func(*testing.T, *rung) {}},
		{name: "the store is closed", set: func(_ *testing.T, r *rung) { r.s.Close() }, err: base.ErrClosed},
		{name: "the store is poisoned", set: func(_ *testing.T, r *rung) { _ = r.s.life.Poison(errors.New("no")) }, err: base.ErrPoisoned},
		{name: "its keyspace was dropped", set: func(_ *testing.T, r *rung) {
			ks := keyspace.New("a", 1)
			ks.End(4)
			r.c.Spaces = append(r.c.Spaces, ks)
		}, err: base.ErrDropped},
		{name: "somebody has a turn", set: func(t *testing.T, r *rung) { t.Cleanup(beginTurn(t, r.s, time.Hour).End) }, want: turnTaken},
		{name: "it has the turn", set: func(t *testing.T, r *rung) {
			r.c.Turn = beginTurn(t, r.s, time.Hour)
			t.Cleanup(r.c.Turn.End)
		}},
		{name: "the limit is reached", limit: 1, set: func(*testing.T, *rung) {}, err: base.ErrNoSpace},
		{name: "the limit is reached, and it frees", limit: 1, set: func(_ *testing.T, r *rung) { r.c = NewChange(); r.c.Delete(nil, []byte("key")) }},
		{name: "the limit is reached, and it is the store's", limit: 1, set: func(_ *testing.T, r *rung) { r.c.Urgent = true }},
		{name: "a table of its own, and no files", set: func(_ *testing.T, r *rung) { r.sealed = r.c.sealedTable() }, want: logsMissing},
		{name: "a table of its own", set: func(t *testing.T, r *rung) {
			r.sealed = r.c.sealedTable()
			if err := r.s.cfg.Files.Make(2, r.c.Encoded()); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a table of its own, and flushes behind", set: func(_ *testing.T, r *rung) {
			r.sealed = r.c.sealedTable()
			r.publish(&manifest.Version{}, r.s.mem, full(8))
		}, want: flushesBehind},
		{name: "the memtable is full", set: func(_ *testing.T, r *rung) { r.s.mem = &readstate.Mem{Table: tight(), Log: 9} }, want: memtableFull},
		{name: "the log is short", set: func(_ *testing.T, r *rung) {
			r.s.log = commitlog.New(1, commitlog.Segment{Number: 9, Reserved: 1 << 10}, nil)
		}, want: logShort},
		{name: "the log is short, and it frees", set: func(_ *testing.T, r *rung) {
			r.s.log = commitlog.New(1, commitlog.Segment{Number: 9, Reserved: 1 << 10}, nil)
			r.c = NewChange()
			r.c.Delete(nil, []byte("key"))
		}},
		{name: "its reads hold", set: func(_ *testing.T, r *rung) { r.readAPoint() }},
		{name: "its reads have left memory", set: func(_ *testing.T, r *rung) {
			r.readAPoint()
			r.publish(&manifest.Version{Runs: []manifest.Run{{Age: 1, Tables: []*manifest.Table{
				{Num: 1, Run: 1, TableProperties: base.TableProperties{MaxSeq: 4}},
			}}}}, r.s.mem)
		}, want: readsUnchecked},
		{name: "another state than it read", set: func(_ *testing.T, r *rung) {
			r.readAPoint()
			r.c.State = &readstate.State{}
		}, err: ErrStateChanged},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRung(t, c.limit)
			c.set(t, r)
			r.s.mu.Lock()
			got, err := r.s.obstacleLocked(r.c, r.sealed, &validation{checked: r.checked})
			r.s.mu.Unlock()
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("obstacle %d, %v, want %d, %v", got, err, c.want, c.err)
			}
		})
	}
}

// tight is a memtable with room for nothing.
func tight() *memtable.Table {
	t := memtable.New(1)
	row := []byte("row")
	t.Add(base.HashRow(row), row, base.Trailer{Seq: 1, Attr: base.MakeAttr(base.KindPut, 1, false)}, make([]byte, 1<<17))
	return t
}
