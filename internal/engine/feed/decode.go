package feed

import (
	"bytes"
	"errors"
	"time"

	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/typed"
)

// decoder turns the operations of commits into changes.
type decoder struct {
	names    map[uint32]string // of keyspaces, as far as they were met
	keyspace func(uint32) (string, bool)
	emit     func(changes.Change)

	// of the commit at hand
	clock   int64
	owners  map[uint64]*owner
	was     map[string]metadata // by key row: what it holds, where that is known
	expired map[string]bool     // key rows
	all     bool                // it is DropAll
	due     []byte              // the element whose due row was deleted, if no row of elements came since
	dueID   uint64
	dueAt   int64
}

// owner is what is known of a collection with rows of its own.
type owner struct {
	row  []byte      // of its key; nil: none yet
	typ  record.Type // 0: it has no metadata
	born bool        // in this commit
}

// metadata is what a key row holds, or held before the commit.
type metadata struct {
	typ    record.Type
	id     uint64 // 0: inline
	expiry int64
	body   []byte
}

var (
	errRow  = errors.New("row of a change is malformed")
	errMeta = errors.New("collection of a change is malformed")
)

// decode emits the changes of a commit.
func (d *decoder) decode(c *commit) error {
	d.clock, d.all, d.due = c.clock, false, nil
	clear(d.owners)
	clear(d.was)
	clear(d.expired)
	if err := d.note(c.items); err != nil {
		return err
	}
	d.types(c.ops)
	for rest := c.ops; len(rest) > 0; {
		o, n, err := record.DecodeOp(rest)
		if err != nil {
			return err
		}
		behind := rest[n:]
		if o.Attr.Kind() == base.KindDelete {
			if n, err := d.rename(o, behind); err != nil {
				return err
			} else if n > 0 {
				rest = behind[n:]
				continue
			}
		}
		if err := d.op(o); err != nil {
			return err
		}
		rest = behind
	}
	return nil
}

// note takes the items of the commit's note in.
func (d *decoder) note(items []byte) error {
	for len(items) > 0 {
		i, rest, err := record.NextNote(items)
		if err != nil {
			return err
		}
		items = rest
		switch i.Kind {
		case record.NoteKeyspace:
			d.names[i.Number] = string(i.Name)
		case record.NoteOwner:
			d.own(i.ID, &owner{row: i.Row, typ: i.Type})
		case record.NoteWas:
			if d.was == nil {
				d.was = map[string]metadata{}
			}
			d.was[string(i.Row)] = metadata{typ: i.Type, id: i.ID, expiry: i.Expiry, body: i.Body}
		case record.NoteExpired:
			if d.expired == nil {
				d.expired = map[string]bool{}
			}
			d.expired[string(i.Row)] = true
		}
	}
	return nil
}

func (d *decoder) own(id uint64, o *owner) {
	if d.owners == nil {
		d.owners = map[uint64]*owner{}
	}
	d.owners[id] = o
}

// types notes the types of the collections that begin in the commit: their rows stand
// in front of their metadata.
func (d *decoder) types(ops []byte) {
	for len(ops) > 0 {
		o, n, err := record.DecodeOp(ops)
		if err != nil {
			return // eachCommit has decoded them
		}
		ops = ops[n:]
		typ := record.Type(o.Attr.Type())
		if o.Attr.Kind() != base.KindPut || !typ.IsCollection() {
			continue
		}
		id, _ := record.CollectionID(typ, o.Value)
		if id != 0 && d.owners[id] == nil {
			d.own(id, &owner{typ: typ, born: true})
		}
	}
}

// op emits the changes of one operation.
func (d *decoder) op(o record.Op) error {
	if o.Attr.Kind() == base.KindRangeDelete {
		return d.rangeDelete(o)
	}
	prefix, rest, ok := keyenc.KeyspaceOf(o.Key)
	if !ok {
		return d.system(o)
	}
	if rest[0] == keyenc.SpaceElements {
		return d.element(o, rest)
	}
	space, ok := d.space(prefix)
	if !ok {
		return nil
	}
	c := changes.Change{Keyspace: space, Key: rest[1:]}
	typ := record.Type(o.Attr.Type())
	switch {
	case o.Attr.Kind() == base.KindDelete:
		c.Kind = changes.KindDelete
		if d.expired[string(o.Key)] {
			c.Kind = changes.KindExpired
		}
		delete(d.was, string(o.Key))
		d.emit(c)
	case typ.IsCollection():
		return d.metadata(o, c, typ)
	default:
		c.Kind, c.Type, c.Value, c.ExpiresAt = changes.KindPut, typed.TypeString, o.Value, moment(o.Expiry)
		delete(d.was, string(o.Key))
		d.emit(c)
	}
	return nil
}

// moment returns the time of a deadline, the zero time for none.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// space returns the name of the keyspace with a prefix. ok is false if nobody knows it:
// it has been dropped since, and the change is of the store's own housekeeping.
func (d *decoder) space(prefix []byte) (name string, ok bool) {
	n := keyspace.Number(prefix)
	if n == 0 {
		return "", true
	}
	if name, ok = d.names[n]; !ok {
		if name, ok = d.keyspace(n); ok {
			d.names[n] = name
		}
	}
	return name, ok
}

// system emits the change of a row that is of no keyspace. Timers say nothing.
func (d *decoder) system(o record.Op) error {
	registry, _ := keyenc.RegistryRange()
	name, ok := bytes.CutPrefix(o.Key, registry)
	if !ok {
		return nil
	}
	c := changes.Change{Kind: changes.KindDropKeyspace, Keyspace: string(name)}
	if o.Attr.Kind() == base.KindPut {
		n := keyspace.Number(o.Value)
		if n == 0 {
			return errRow
		}
		c.Kind, d.names[n] = changes.KindMakeKeyspace, c.Keyspace
	}
	d.emit(c)
	return nil
}

// rangeDelete emits the change of a range delete.
func (d *decoder) rangeDelete(o record.Op) error {
	lo, hi := o.Key, o.Value
	if registry, _ := keyenc.RegistryRange(); bytes.HasPrefix(lo, registry) {
		d.all = true
		d.emit(changes.Change{Kind: changes.KindDropAll})
	}
	prefix, rest, ok := keyenc.KeyspaceOf(lo)
	if d.all || !ok {
		return nil // the rows of a keyspace, whose registry row says so
	}
	if rest[0] == keyenc.SpaceElements {
		return d.items(lo, hi)
	}
	for row := range d.was {
		if row >= string(lo) && row < string(hi) {
			delete(d.was, row)
		}
	}
	space, ok := d.space(prefix)
	if !ok {
		return nil
	}
	c := changes.Change{Kind: changes.KindDeleteRange, Keyspace: space}
	n := len(prefix) + 1
	if len(lo) > n {
		c.Lower = lo[n:]
	}
	if len(hi) < n || !bytes.HasPrefix(hi, prefix) {
		return errRow
	}
	if hi[n-1] == keyenc.SpaceKeys {
		c.Upper = hi[n:]
	}
	d.emit(c)
	return nil
}

// rename emits the change of a collection that gets another name, if that begins with
// the deletion o, and returns how many bytes of the operations behind it belong to it:
//
//	delete  01·old
//	put     01·new      → metadata of id
//	put     02·id·owner → 01·new
func (d *decoder) rename(o record.Op, behind []byte) (n int, err error) {
	put, n1, err := record.DecodeOp(behind)
	if err != nil {
		return 0, nil
	}
	typ := record.Type(put.Attr.Type())
	id, ok := record.CollectionID(typ, put.Value)
	if !ok || put.Attr.Kind() != base.KindPut {
		return 0, nil
	}
	own, n2, err := record.DecodeOp(behind[n1:])
	if err != nil || own.Attr.Kind() != base.KindPut {
		return 0, nil
	}
	_, rest, _ := keyenc.KeyspaceOf(own.Key)
	at, tag, _, ok := keyenc.ParseCollectionRow(rest)
	owned := d.owners[id]
	if !ok || at != id || tag != keyenc.TagOwner || owned == nil || !bytes.Equal(owned.row, o.Key) || !bytes.Equal(own.Value, put.Key) {
		return 0, nil
	}
	prefix, old, ok1 := keyenc.KeyspaceOf(o.Key)
	_, to, ok2 := keyenc.KeyspaceOf(put.Key)
	if !ok1 || !ok2 {
		return 0, errRow
	}
	owned.row = own.Value
	delete(d.was, string(o.Key))
	if d.was == nil {
		d.was = map[string]metadata{}
	}
	d.was[string(put.Key)] = metadata{typ: typ, id: id, expiry: put.Expiry}
	if space, ok := d.space(prefix); ok {
		d.emit(changes.Change{Kind: changes.KindRename, Type: typed.Type(typ), Keyspace: space, Key: old[1:], To: to[1:]})
	}
	return n1 + n2, nil
}
