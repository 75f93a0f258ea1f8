package waiters

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/record"
)

// list is a list of which only the length counts: its commits are operations on the row
// of its key.
type list struct {
	r   Registry
	mu  sync.Mutex
	n   int
	seq base.SeqNum
	row []byte
}

// ops are the operations of one commit.
type ops []record.Op

func (o ops) Len() int           { return len(o) }
func (o ops) Op(i int) record.Op { return o[i] }

// commit adds n items for served, who leaves the line if that is not nil.
func (l *list) commit(n int, served *Place) (did bool) {
	l.mu.Lock()
	if l.n+n < 0 {
		l.mu.Unlock()
		return false
	}
	l.n += n
	l.seq++
	seq := l.seq
	kind := base.KindPut
	if l.n == 0 {
		kind = base.KindDelete
	}
	l.mu.Unlock()
	if l.r.Any() {
		l.r.Published(ops{{Attr: base.MakeAttr(kind, 0, false), Key: l.row}}, seq, served)
	}
	return true
}

// take waits for an item.
func (l *list) take(ctx context.Context) error {
	p := l.r.Join(l.row)
	defer p.Leave()
	for {
		if err := p.Sleep(ctx, nil, nil, 0); err != nil {
			return err
		}
		if l.commit(-1, p) {
			return nil
		}
	}
}

// One of 64 is woken for each item, and nobody else.
func TestOneCallerIsWokenForEachItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &list{row: []byte("\x01q")}
		const callers, items = 64, 10_000
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range callers {
			all.Go(func() {
				for l.take(ctx) == nil {
				}
			})
		}
		synctest.Wait()
		before := l.r.Wakes()
		if before != 1 || l.r.Waiting() != callers {
			t.Errorf("%d of %d callers looked before the first item", before, l.r.Waiting())
		}
		for range items / 2 {
			l.commit(1, nil)
			synctest.Wait()
		}
		for range items / 20 {
			l.commit(10, nil) // one commit
			synctest.Wait()
		}
		if l.n != 0 {
			t.Errorf("%d items are left beside %d callers", l.n, l.r.Waiting())
		}
		if n := l.r.Wakes() - before; n != items {
			t.Errorf("%d wakes for %d items", n, items)
		}
		cancel()
		all.Wait()
		if l.r.Any() || len(l.r.lines)+len(l.r.topics)+len(l.r.watches) != 0 {
			t.Errorf("the registry still has %d callers, %d lines, %d topics", l.r.Waiting(), len(l.r.lines), len(l.r.topics))
		}
	})
}

func TestACallerWhoseTimeIsFarSleepsUntilItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Registry
		c, begin := clock.New(nil), time.Now()
		p := r.Join([]byte("\x01q"))
		defer p.Leave()
		if err := p.Sleep(t.Context(), nil, c, 0); err != nil || time.Since(begin) != 0 {
			t.Errorf("the first of a line does not look at once: %v", err)
		}
		far := begin.Add(100 * time.Hour)
		if err := p.Sleep(t.Context(), nil, c, far.UnixMilli()); err != nil || time.Since(far) != 0 {
			t.Errorf("woken %v after its time: %v", time.Since(far), err)
		}
		thaw := c.Freeze()
		time.AfterFunc(time.Second, thaw)
		if err := p.Sleep(t.Context(), nil, c, c.Now()+10); err != nil || time.Since(begin) < 100*time.Hour+time.Second {
			t.Errorf("woken while the clock stands still: %v, %v", time.Since(begin), err)
		}
	})
}

func TestARangeDeleteIsToldToAllInIt(t *testing.T) {
	var r Registry
	w := r.Watch([][]byte{[]byte("\x01a"), []byte("\x01b"), []byte("\x01c")})
	defer w.Close()
	next := func() (seen []int) {
		for i, ok := w.Next(0); ok; i, ok = w.Next(0) {
			seen = append(seen, i)
		}
		return seen
	}
	next()
	many := make(ops, 3*perLock)
	for i := range many {
		many[i] = record.Op{Attr: base.MakeAttr(base.KindPut, 0, false), Key: []byte("\x01other")}
	}
	many[2*perLock] = record.Op{Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: []byte("\x01b"), Value: []byte("\x01c")}
	many[2*perLock+1] = record.Op{Attr: base.MakeAttr(base.KindPut, 0, false), Key: []byte("\x02")} // no row that there is
	many[2*perLock+2] = record.Op{Attr: base.MakeAttr(base.KindPut, 0, false), Key: []byte{0, 'k'}}
	r.Published(many, 1, nil)
	if seen := next(); len(seen) != 1 || seen[0] != 1 {
		t.Errorf("the keys that changed are %v", seen)
	}
}

// Who commits is told of in any order: a wake is neither lost nor in vain.
func TestCommitsMayBeToldOfInAnyOrder(t *testing.T) {
	put, gone := base.MakeAttr(base.KindPut, 0, false), base.MakeAttr(base.KindDelete, 0, false)
	type told struct {
		seq    base.SeqNum
		attr   base.Attr
		served bool // it is the commit of the first caller
	}
	for _, c := range []struct {
		name  string
		told  []told
		wakes bool // the second caller
	}{
		{"push, pop", []told{{1, put, false}, {2, gone, true}}, false},
		{"pop, push", []told{{2, gone, true}, {1, put, false}}, false},
		{"pop, later push", []told{{2, gone, true}, {3, put, false}}, true},
		{"later push, pop", []told{{3, put, false}, {2, gone, true}}, true},
		{"pop that leaves something", []told{{2, put, true}}, true},
		{"pop that leaves what was deleted since", []told{{3, gone, false}, {2, put, true}}, false},
		{"delete that came before the push", []told{{1, put, true}, {3, put, false}, {2, gone, false}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Registry
			row := []byte("\x01q")
			first, second := r.Join(row), r.Join(row)
			for _, c := range c.told {
				var served *Place
				if c.served {
					served = first
				}
				r.Published(ops{{Attr: c.attr, Key: row}}, c.seq, served)
			}
			if woken := len(second.woken) > 0; woken != c.wakes {
				t.Errorf("the second caller is woken: %v", woken)
			}
			second.Leave()
			first.Leave() // is no error
			if r.Any() {
				t.Error("somebody is left")
			}
		})
	}
}
