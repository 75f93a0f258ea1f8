package commit

import (
	"runtime"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/memtable"
)

// A commit inside the section validates its reads against the state it finds there,
// without a pin: a rotation and a flush meanwhile must leave the memtable alone.
func TestATableIsNotResetUnderACommitInTheSection(t *testing.T) {
	s := &Section{}
	invariants.SetRank(&s.mu, invariants.Section)
	invariants.SetRank(&s.Recycler.mu, invariants.Recycler)
	s.Recycler.section, s.Recycler.blocks, s.Recycler.most = s, cache.New(1<<20), 1<<20
	row := []byte("row")
	table := s.Recycler.New()
	table.Add(base.HashRow(row), row, base.Trailer{Seq: 1, Attr: base.MakeAttr(base.KindPut, 0, false)}, []byte("value"))
	there := func() bool {
		_, _, ok := table.Get(base.HashRow(row), row, base.SeqMax)
		return ok
	}
	s.Recycler.Spent(&readstate.Mem{Table: table, Usual: true})
	s.mu.Lock() // a commit is inside
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		s.Recycler.take(&readstate.Mem{Table: memtable.New(1 << 20)})
	}()
	for range 1000 { // it gets its chance
		runtime.Gosched()
		select {
		case <-taken:
			t.Fatal("a table was made ready while a commit was inside the section")
		default:
		}
		if !there() {
			t.Fatal("a table was reset while a commit was inside the section")
		}
	}
	s.mu.Unlock()
	<-taken
	if there() {
		t.Error("the table was not reset in the end")
	}
}
