package model

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/siltstonedb/siltstone"
)

// transaction is an open transaction, what it shows, and what its commit will
// depend on.
type transaction struct {
	tx      *siltstone.Tx
	base    Views // at its beginning
	view    Views // with its own writes
	changes []change
	reads   []place // what it surely looked at
	asked   []place // what its changes may have looked at
	since   int     // commits before it: index in run.touched

	spaces [mostSpaces]*siltstone.Keyspace // as they were at its beginning
	used   [mostSpaces]bool
}

func (tx *transaction) walked(space int, b Bounds) { tx.reads = append(tx.reads, place{space, b}) }

// in returns the transaction addressing a keyspace.
func (tx *transaction) in(space int) *siltstone.Tx {
	tx.used[space] = true
	return tx.tx.In(tx.spaces[space])
}

// lost reports whether a keyspace that the transaction used has been dropped.
func (r *run) lost(tx *transaction) bool {
	for i, used := range tx.used {
		if used && tx.spaces[i] != r.spaces[i] {
			return true
		}
	}
	return false
}

func opBegin(r *run, d draw) {
	if len(r.txs) == mostHeld {
		r.finish(d, r.txs[0])
	}
	tx, err := r.db.Begin(context.Background(), siltstone.ReadWriteMode)
	r.say("transaction begun")
	if r.expect(err, nil, "Begin"); err == nil {
		v := r.views()
		r.txs = append(r.txs, &transaction{tx: tx, base: v, view: v, since: len(r.touched), spaces: r.spaces})
	}
}

// opTx does something in a transaction.
func opTx(r *run, d draw) {
	if len(r.txs) == 0 {
		return
	}
	tx := r.txs[d.IntN(len(r.txs))]
	n := 1
	if d.one(30) {
		n = 100 // more than is searched one by one
	}
	for range n {
		r.inside(d, tx)
	}
}

// inside makes one drawn read or write in tx.
func (r *run) inside(d draw, tx *transaction) {
	space := d.space()
	switch kind := d.IntN(10); {
	case kind < 3:
		k := d.key()
		tx.walked(space, one(k))
		r.readKey(tx, space, k)
	case kind < 4:
		b, limit := d.narrow(), -1
		if d.one(2) {
			b, limit = d.bounds(), 1+d.IntN(5)
		}
		r.say("tx scan %.24q..%.24q %v, %d", b.Lower, b.Upper, b.Bounded, limit)
		tx.walked(space, r.loop(tx.in(space), tx.view.in(space), b, d.one(2), limit, "tx"))
	default:
		r.say("in a transaction:")
		r.writeInside(d, tx, space)
	}
}

// readKey compares a Get.
func (r *run) readKey(tx *transaction, space int, k string) {
	row, exists := tx.view.in(space).Get(k)
	r.say("tx get %.24q in %d", k, space)
	got, err := tx.in(space).Get([]byte(k))
	if want := notThere(row, exists); want != nil {
		r.expect(err, want, "tx Get(%.24q)", k)
	} else if err != nil || !bytes.Equal(got, row.Value) {
		r.fail("tx Get(%.24q) is %d bytes, %v; want %d bytes", k, len(got), err, len(row.Value))
	}
}

// writeInside makes one change. What a change reads of the store, Expire or
// Rename for instance, belongs to the transaction's reads.
func (r *run) writeInside(d draw, tx *transaction, space int) {
	r.asked = nil
	changes := r.write(d, space, tx.in(space), tx.view.in(space))
	tx.asked = append(tx.asked, r.asked...)
	for _, c := range changes {
		tx.view.State = c.on(tx.view.State)
	}
	tx.changes = append(tx.changes, changes...)
}

func opFinish(r *run, d draw) {
	if len(r.txs) > 0 {
		r.finish(d, r.txs[d.IntN(len(r.txs))])
	}
}

// finish commits or rolls back. A commit must be refused if anything the
// transaction saw is different now, and must not be if nobody touched it.
func (r *run) finish(d draw, tx *transaction) {
	r.closeIters(tx)
	r.txs = slices.DeleteFunc(r.txs, func(o *transaction) bool { return o == tx })
	if d.one(5) {
		r.say("transaction rolled back")
		tx.tx.Rollback()
		return
	}
	level := d.level()
	tx.tx.SetDurability(level)
	differs, touched, lost := r.differs(tx), r.touchedSince(tx), r.lost(tx)
	err := tx.tx.Commit()
	r.say("transaction of %d changes committed: %v", len(tx.changes), err)
	switch {
	case errors.Is(err, siltstone.ErrConflict):
		if !touched {
			r.fail("commit refused (%v), though nobody touched what it read", err)
		}
	case errors.Is(err, siltstone.ErrDropped):
		if !lost {
			r.fail("commit refused (%v), though it used no dropped keyspace", err)
		}
	case err != nil:
		r.fail("Commit: %v", err)
	case lost && len(tx.changes) > 0:
		r.fail("commit of a transaction that used a dropped keyspace")
	case differs && len(tx.changes) > 0:
		r.fail("commit of a transaction whose reads have changed")
	default:
		r.committed(level, tx.changes...)
	}
}

// differs reports whether a row that the transaction surely read is another
// one now. What it wrote itself it may not have read.
func (r *run) differs(tx *transaction) bool {
	now := r.views()
	for _, p := range tx.reads {
		if tx.wrote(p) {
			continue
		}
		old, new := rows(tx.base.in(p.space), p.Bounds), rows(now.in(p.space), p.Bounds)
		if !maps.EqualFunc(old, new, Row.equal) {
			return true
		}
	}
	return false
}

func (tx *transaction) wrote(p place) bool {
	return slices.ContainsFunc(tx.changes, func(c change) bool { return c.at().meets(p) })
}

func rows(v View, b Bounds) map[string]Row {
	m := map[string]Row{}
	for n := range v.all(b, false) {
		m[n.key] = n.row
	}
	return m
}

func (r Row) equal(o Row) bool {
	return bytes.Equal(r.Value, o.Value) && r.Expiry == o.Expiry && maps.Equal(r.Fields, o.Fields)
}

// touchedSince reports whether anything the transaction may have read was
// touched by a commit or by time.
func (r *run) touchedSince(tx *transaction) bool {
	now := r.now.Load()
	everything := Views{State: tx.base.State} // the store itself takes expired rows away
	for _, p := range append(tx.reads[:len(tx.reads):len(tx.reads)], tx.asked...) {
		for _, c := range r.touched[tx.since:] {
			if c.meets(p) {
				return true
			}
		}
		for n := range everything.in(p.space).all(p.Bounds, false) {
			if n.row.Expiry != 0 && n.row.Expiry <= now {
				return true
			}
		}
	}
	return false
}

// opUpdate runs a closure that cannot lose, for nothing else runs.
func opUpdate(r *run, d draw) {
	v := r.views()
	tx := &transaction{}
	level := d.level()
	fail := errors.New("closure")
	give := d.one(6)
	seed := d.Uint32()
	r.say("update")
	err := r.db.Update(context.Background(), func(inner *siltstone.Tx) error {
		*tx = transaction{tx: inner, base: v, view: v, spaces: r.spaces}
		inner.SetDurability(level)
		d := newDraw(Op{Seed: seed}, d.keys, d.spaces)
		for range d.IntN(6) {
			r.inside(d, tx)
		}
		if give {
			return fail
		}
		return nil
	})
	if give {
		r.expect(err, fail, "Update")
		return
	}
	r.expect(err, nil, "Update")
	r.committed(level, tx.changes...)
}

func opView(r *run, d draw) {
	v, space := r.views(), d.space()
	r.say("view")
	err := r.db.View(context.Background(), func(tx *siltstone.Tx) error {
		tx = tx.In(r.spaces[space])
		for range d.IntN(6) {
			r.read(d, tx, v.in(space))
		}
		r.loop(tx, v.in(space), d.bounds(), d.one(2), -1, "view")
		return nil
	})
	r.expect(err, nil, "View")
}
