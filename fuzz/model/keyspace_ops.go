package model

import (
	"context"
	"fmt"

	"github.com/siltstonedb/siltstone"
)

// store is what a store and a keyspace have in common.
type store interface {
	writer
	Compact(ctx context.Context, r siltstone.Range) error
}

// store returns what addresses a keyspace.
func (r *run) store(space int) store {
	if space == 0 {
		return r.db
	}
	return r.spaces[space]
}

// openSpaces asks for every keyspace, and makes those that are missing.
func (r *run) openSpaces() {
	for i := 1; i <= r.Keyspaces && r.err == nil; i++ {
		ks, err := r.db.CreateKeyspace(spaceName(i))
		r.expect(err, nil, "Keyspace")
		r.spaces[i] = ks
	}
	names, err := r.db.Keyspaces()
	if err != nil || len(names) != r.Keyspaces {
		r.fail("there are the keyspaces %q, %v", names, err)
	}
}

func spaceName(i int) string { return fmt.Sprint("keyspace ", i) }

// opDrop drops a keyspace, or everything, and makes what was dropped again.
func opDrop(r *run, d draw) {
	if !d.one(2) {
		return
	}
	space := d.space()
	if space == 0 {
		r.say("drop all")
		r.expect(r.db.DropAll(), nil, "DropAll")
	} else {
		r.say("drop keyspace %d", space)
		r.expect(r.db.DropKeyspace(spaceName(space)), nil, "DropKeyspace")
	}
	var changes []change
	for i := range r.Keyspaces + 1 {
		if space == 0 || i == space {
			changes = append(changes, change{space: i})
		}
	}
	r.committed(siltstone.SyncDurability, changes...)
	r.gone = r.spaces[max(space, 1)]
	r.openSpaces()
}

// opDropped asks for what a handle of a dropped keyspace refuses.
func opDropped(r *run, d draw) {
	if r.gone == nil {
		return
	}
	k := []byte(d.key())
	var b siltstone.Batch
	b.Put(k, nil)
	b.In(r.gone).Put(k, nil)
	_, getErr := r.gone.Get(k)
	_, hashErr := r.gone.Hash(string(k)).Set("a", nil)
	_, lenErr := r.gone.Hash(string(k)).Len()
	for _, err := range []error{getErr, hashErr, lenErr, r.gone.Put(k, nil), r.gone.DeleteRange(siltstone.Range{}), r.db.Apply(&b, siltstone.DefaultDurability)} {
		r.expect(err, siltstone.ErrDropped, "a dropped keyspace")
	}
}
