package check_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/engine/check"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/vfs"
)

// store is a store of one memtable, with a manifest and nothing else.
type store struct {
	t       *testing.T
	dir     storedir.Dir
	set     *manifest.Set
	states  *readstate.States
	points  readstate.Points
	visible atomic.Uint64
	mem     *memtable.Table
}

// theLog is the log of the memtable.
const theLog base.FileNum = 3

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{t: t, dir: storedir.Dir{FS: vfs.NewMem(), Path: "db"}, mem: memtable.New(1 << 20)}
	if err := s.dir.Make(); err != nil {
		t.Fatal(err)
	}
	s.points = readstate.Points{Visible: func() base.SeqNum { return base.SeqNum(s.visible.Load()) }, Clock: clock.New(nil)}
	s.set = manifest.OpenSet(s.dir.FS, s.dir.Path, manifest.NewState(1), s.points.Clock, lifecycle.New(func(error) {}))
	if err := s.set.Writable(nil, false, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.set.Close() })
	tables := readstate.NewTables(s.dir, 10, cache.New(1<<20), func() {})
	s.states = readstate.NewStates(tables)
	s.states.Drained, s.states.Spent = func() {}, func(*readstate.Mem) {}
	v := s.set.State().Version
	s.states.Publish(func(rs *readstate.State) {
		rs.Version, rs.Mem = v, &readstate.Mem{Table: s.mem, Log: theLog}
	})
	return s
}

func (s *store) put(row []byte, typ record.Type, value []byte) {
	seq := s.visible.Load() + 1
	s.mem.Add(base.HashRow(row), row, base.Trailer{Seq: base.SeqNum(seq), Attr: base.MakeAttr(base.KindPut, uint8(typ), false)}, value)
	s.visible.Store(seq)
}

// rowsOf puts the rows of a hash with one field, but not its metadata.
func (s *store) rowsOf(id uint64) {
	s.put(keyenc.AppendElementRow(nil, nil, id, keyenc.TagOwner, ""), record.TypeNone, keyenc.AppendNameRow(nil, nil, "h"))
	s.put(keyenc.AppendElementRow(nil, nil, id, keyenc.TagElement, "f"), record.TypeNone, nil)
}

func (s *store) pin() check.Store {
	s.t.Helper()
	c, err := check.Pin(s.set, &rows.Source{States: s.states}, &s.points, s.dir, func() []base.FileNum { return nil })
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *store) wantFault(c check.Store, words string) {
	s.t.Helper()
	defer c.Release()
	err := check.Run(context.Background(), c)
	if words == "" && err != nil || words != "" && (!errors.Is(err, base.ErrCorruption) || !strings.Contains(err.Error(), words)) {
		s.t.Errorf("Run: %v, want %q", err, words)
	}
}

func TestRowsThatNoRecordNamesAreAFaultUnlessNominated(t *testing.T) {
	s := newStore(t)
	s.rowsOf(7)
	s.wantFault(s.pin(), "rows that no record names")
	s.set.Nominations.Add([]manifest.IDRange{{First: 5, Last: 9}})
	s.wantFault(s.pin(), "")
}

func TestAnOlderRecordOfAMemtableNamesItsCollection(t *testing.T) {
	s := newStore(t)
	row := keyenc.AppendNameRow(nil, nil, "h")
	s.rowsOf(7)
	s.put(row, record.TypeHash, record.AppendMeta(nil, record.Meta{Encoding: record.EncodingRows, ID: 7, Count: 1}))
	s.put(row, record.TypeString, nil)
	s.wantFault(s.pin(), "")
}

// The nominations are those of the moment of the view, whatever becomes of them.
func TestWhatIsSettledAfterThePinIsNoFault(t *testing.T) {
	s := newStore(t)
	s.rowsOf(7)
	s.set.Nominations.Add([]manifest.IDRange{{First: 7, Last: 7}})
	before := s.pin()
	s.set.Nominations.Take(1)
	deciding := s.pin()
	s.set.Nominations.Decided(theLog)
	decided := s.pin()
	if err := s.set.ApplyFlush(&manifest.Edit{}, theLog, nil); err != nil {
		t.Fatal(err)
	}
	s.wantFault(before, "")
	s.wantFault(deciding, "")
	s.wantFault(decided, "")
	s.wantFault(s.pin(), "rows that no record names")
}

func TestAClosedStoreIsNotPinned(t *testing.T) {
	s := newStore(t)
	s.states.End()
	if _, err := check.Pin(s.set, &rows.Source{States: s.states}, &s.points, s.dir, nil); !errors.Is(err, base.ErrClosed) {
		t.Errorf("Pin: %v", err)
	}
}
