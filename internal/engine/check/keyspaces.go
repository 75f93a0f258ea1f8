package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
)

// keyspaces checks that every keyspace has a number of its own that was
// reserved, and that no row is left of one that is not registered: it would come
// back with the keyspace that gets its number.
func (c *checker) keyspaces() error {
	var faults []error
	names, err := c.registered(func(_ string, fault error) { faults = append(faults, fault) })
	if err == nil {
		err = c.rowsOfNoKeyspace(names, func(_ []byte, _ uint32, fault error) { faults = append(faults, fault) })
	}
	return errors.Join(append(faults, err)...)
}

func badKeyspace(format string, args ...any) error {
	return fmt.Errorf("%w: %s", base.ErrCorruption, fmt.Sprintf(format, args...))
}

// Registered returns the names of all keyspaces by their numbers. It calls found
// for every name whose row is at fault, which the result then leaves out.
func Registered(ctx context.Context, s Store, found func(name string, fault error)) (names map[uint32]string, err error) {
	c := &checker{Store: s, ctx: ctx}
	return c.registered(found)
}

// RowsOfNoKeyspace calls found for the first row of every keyspace number that has
// no name and, with number 0, for every row behind a keyspace prefix that is
// neither a key's nor a collection's.
func RowsOfNoKeyspace(ctx context.Context, s Store, names map[uint32]string, found func(row []byte, number uint32, fault error)) error {
	c := &checker{Store: s, ctx: ctx}
	return c.rowsOfNoKeyspace(names, found)
}

// registered is Registered.
func (c *checker) registered(found func(name string, fault error)) (names map[uint32]string, err error) {
	limit := c.Set.State().KeyspaceLimit
	names = map[uint32]string{}
	err = rows.Registry(c.Rows, c.View, func(name string, value []byte) error {
		number := keyspace.Number(value)
		other, twice := names[number]
		var fault error
		switch {
		case keyspace.CheckName(name) != nil || number == 0 || !bytes.Equal(value, keyspace.Prefix(number)):
			fault = badKeyspace("keyspace %q has the prefix %x", name, value)
		case number >= limit:
			fault = badKeyspace("keyspace %q has number %d, and those below %d were reserved", name, number, limit)
		case twice:
			fault = badKeyspace("keyspaces %q and %q both have number %d", other, name, number)
		}
		if fault != nil {
			found(name, fault)
		} else {
			names[number] = name
		}
		return c.tick()
	})
	return names, err
}

// rowsOfNoKeyspace is RowsOfNoKeyspace.
func (c *checker) rowsOfNoKeyspace(names map[uint32]string, found func(row []byte, number uint32, fault error)) error {
	it, err := rows.New(c.Rows, c.View, []byte{keyenc.SpaceNamed}, []byte{keyenc.SpaceNamed + 1}, true)
	if err != nil {
		return err
	}
	defer it.Release()
	for ok := it.First(); ok; {
		if err := c.tick(); err != nil {
			return err
		}
		prefix, _, in := keyenc.KeyspaceOf(it.Key())
		if !in {
			found(bytes.Clone(it.Key()), 0, badKeyspace("row %q is in no keyspace", it.Key()))
			ok = it.Next()
			continue
		}
		if number := keyspace.Number(prefix); names[number] == "" {
			found(bytes.Clone(it.Key()), number, badKeyspace("row %q is of keyspace number %d, which there is not", it.Key(), number))
		}
		ok = it.SeekGE(append(bytes.Clone(prefix), keyenc.SpaceElements+1)) // on to what is no row of it
	}
	return it.Err()
}
