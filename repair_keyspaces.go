package siltstone

import (
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
)

// keyspaces gives every keyspace that has rows a name, and forgets names that
// are none:
//
//	registry row at fault       goes
//	rows of an unnamed number   named "recovered-" and the number
//	row in no keyspace          goes
//
// A number without name may be that of a keyspace that had been dropped, if what
// was lost is its tombstone.
func (r *repair) keyspaces(db *DB) error {
	c, err := db.newChecker(r.ctx)
	if err != nil {
		return err
	}
	defer db.states.Drop(c.view.State)
	m := &mending{c: c}
	var ops []record.Op
	note := func(fault error, done string, o record.Op) {
		r.report.Keyspaces = append(r.report.Keyspaces, fmt.Errorf("%w: %s", fault, done))
		ops = append(ops, o)
	}
	gone := func(row []byte) record.Op {
		return record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: row}
	}
	names, err := c.registered(func(name string, fault error) {
		note(fault, "forgotten", gone(keyenc.AppendRegistryRow(nil, name)))
	})
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, name := range names {
		taken[name] = true
	}
	err = c.rowsOfNoKeyspace(names, func(row []byte, number uint32, fault error) {
		prefix := keyspace.Prefix(number)
		switch {
		case number == 0:
			note(fault, "removed", gone(row))
		case number >= c.state.KeyspaceLimit: // no number is left above it
			note(fault, "removed", record.Op{
				Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: prefix, Value: base.Successor(prefix),
			})
		default:
			name := freeName(fmt.Sprintf("recovered-%d", number), taken)
			note(fault, fmt.Sprintf("named %q", name), record.Op{
				Attr: base.MakeAttr(base.KindPut, uint8(record.TypeNone), false),
				Key:  keyenc.AppendRegistryRow(nil, name), Value: prefix,
			})
		}
	})
	if err != nil {
		return err
	}
	for _, o := range ops {
		if err := m.add(o); err != nil {
			return err
		}
	}
	return m.commit()
}

// freeName returns a name that is not taken, and takes it.
func freeName(name string, taken map[string]bool) string {
	for taken[name] {
		name += "+"
	}
	taken[name] = true
	return name
}
