package model

import (
	"bytes"
	"slices"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// mostHeld is how many of each kind a run keeps open.
const mostHeld = 4

// snapshot is an open snapshot and what it shows.
type snapshot struct {
	snap   *siltstone.Snapshot
	view   Views
	spaces [mostSpaces]*siltstone.Keyspace // as they were then
}

// iterator is an open iterator and where it stands.
type iterator struct {
	it       *siltstone.Iterator
	owner    any // *snapshot or *transaction it ends with; nil
	space    int
	view     View
	bounds   Bounds
	keysOnly bool
	at       *node // nil: not valid
}

func opSnapshot(r *run, d draw) {
	if len(r.snaps) == mostHeld {
		opCloseSnapshot(r, d)
	}
	s, err := r.db.NewSnapshot()
	r.say("snapshot opened")
	if r.expect(err, nil, "NewSnapshot"); err == nil {
		r.snaps = append(r.snaps, &snapshot{s, r.views(), r.spaces})
	}
}

func opCloseSnapshot(r *run, d draw) {
	if len(r.snaps) == 0 {
		return
	}
	i := d.IntN(len(r.snaps))
	s := r.snaps[i]
	r.say("snapshot %d closed", i)
	r.closeIters(s)
	s.snap.Close()
	r.snaps = slices.Delete(r.snaps, i, i+1)
}

func opReadSnapshot(r *run, d draw) {
	if len(r.snaps) == 0 {
		return
	}
	s := r.snaps[d.IntN(len(r.snaps))]
	space := d.space()
	snap, view := s.snap.In(s.spaces[space]), s.view.in(space)
	if d.one(3) {
		b := d.bounds()
		r.say("snapshot scan %.24q..%.24q %v", b.Lower, b.Upper, b.Bounded)
		r.loop(snap, view, b, d.one(2), -1, "snapshot")
		return
	}
	r.read(d, snap, view)
}

// closeIters closes the iterators of an owner.
func (r *run) closeIters(owner any) {
	r.iters = slices.DeleteFunc(r.iters, func(it *iterator) bool {
		if it.owner == owner {
			r.expect(it.it.Close(), nil, "close of an iterator")
		}
		return it.owner == owner
	})
}

// opIter opens an iterator on the store, a snapshot or a transaction.
func opIter(r *run, d draw) {
	if len(r.iters) == mostHeld {
		r.expect(r.iters[0].it.Close(), nil, "close of an iterator")
		r.iters = slices.Delete(r.iters, 0, 1)
	}
	space := d.space()
	it := &iterator{view: r.view(space), space: space, bounds: d.bounds(), keysOnly: d.one(4)}
	var from siltstone.Reader = r.store(space)
	switch d.IntN(3) {
	case 0:
		if n := len(r.snaps); n > 0 {
			s := r.snaps[d.IntN(n)]
			it.view, it.owner, from = s.view.in(space), s, s.snap.In(s.spaces[space])
		}
	case 1:
		if n := len(r.txs); n > 0 {
			tx := r.txs[d.IntN(n)]
			it.view, it.owner, from = tx.view.in(space), tx, tx.in(space)
			tx.asked = append(tx.asked, place{space, it.bounds}) // how far it walks is not followed
		}
	}
	r.say("iterator opened on %T over %.24q..%.24q %v", from, it.bounds.Lower, it.bounds.Upper, it.bounds.Bounded)
	var err error
	it.it, err = from.NewIter(&siltstone.IterOptions{Range: it.bounds.public(), KeysOnly: it.keysOnly})
	if r.expect(err, nil, "NewIter"); err == nil {
		r.iters = append(r.iters, it)
	}
}

// opMove moves an iterator a few times.
func opMove(r *run, d draw) {
	if len(r.iters) == 0 {
		return
	}
	i := d.IntN(len(r.iters))
	it := r.iters[i]
	for range 1 + d.IntN(12) {
		ok, what := it.move(d)
		r.say("iterator %d %s", i, what)
		r.checkIter(it, ok, what)
	}
}

// move moves both.
func (it *iterator) move(d draw) (ok bool, what string) {
	v, b := it.view, it.bounds
	kind := d.IntN(12)
	if kind < 4 {
		if tx, own := it.owner.(*transaction); own {
			v = tx.view.in(it.space) // positioning shows what was written meanwhile
			it.view = v
		}
	}
	switch {
	case kind == 0:
		it.at = v.from(b, b.Lower)
		return it.it.First(), "First"
	case kind == 1:
		it.at = v.before(b, "", true)
		return it.it.Last(), "Last"
	case kind == 2:
		k := d.bound()
		it.at = v.from(b, k)
		return it.it.SeekGE([]byte(k)), "SeekGE"
	case kind == 3:
		k := d.bound()
		it.at = v.before(b, k, false)
		return it.it.SeekLT([]byte(k)), "SeekLT"
	case kind < 8:
		if it.at != nil {
			it.at = v.from(b, it.at.key+"\x00")
		}
		return it.it.Next(), "Next"
	default:
		if it.at != nil {
			it.at = v.before(b, it.at.key, false)
		}
		return it.it.Prev(), "Prev"
	}
}

// checkIter compares where an iterator stands with where it should.
func (r *run) checkIter(it *iterator, ok bool, what string) {
	if err := it.it.Err(); err != nil {
		r.fail("%s: %v", what, err)
	}
	if ok != (it.at != nil) || it.it.Valid() != ok {
		r.fail("%s is %v (at %.24q), Valid %v; want %v", what, ok, it.it.Key(), it.it.Valid(), it.at)
		return
	}
	if !ok {
		return
	}
	n := it.at
	if string(it.it.Key()) != n.key {
		r.fail("%s: at %.24q, want %.24q", what, it.it.Key(), n.key)
		return
	}
	typ, value := typed.TypeString, n.row.Value
	if n.row.Fields != nil {
		typ, value = typed.TypeHash, nil
	}
	if it.keysOnly {
		value = nil
	}
	if it.it.Type() != typ || !bytes.Equal(it.it.Value(), value) {
		r.fail("%s at %.24q: type %v, %d bytes %.24q; want %v, %d bytes %.24q", what, n.key, it.it.Type(), len(it.it.Value()), it.it.Value(), typ, len(value), value)
	}
}
