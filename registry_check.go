package siltstone

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// keyspaces checks that every keyspace has a number of its own that was
// reserved, and that no row is left of one that is not registered: it would have
// come back from the dead.
func (c *checker) keyspaces() error {
	c.db.store.mu.Lock()
	limit := c.db.store.state.KeyspaceLimit
	c.db.store.mu.Unlock()
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %s", ErrCorruption, fmt.Sprintf(format, args...)))
	}
	names := map[uint32]string{}
	err := c.db.registryRows(c.view, func(name string, value []byte) error {
		number := keyspaceNumber(value)
		other, twice := names[number]
		switch {
		case checkKeyspaceName(name) != nil || number == 0 || !bytes.Equal(value, keyspacePrefix(number)):
			fault("keyspace %q has the prefix %x", name, value)
		case number >= limit:
			fault("keyspace %q has number %d, and those below %d were reserved", name, number, limit)
		case twice:
			fault("keyspaces %q and %q both have number %d", other, name, number)
		}
		names[number] = name
		return c.tick()
	})
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	it, err := c.db.newRowIter(c.view, []byte{keyenc.SpaceNamed}, []byte{keyenc.SpaceNamed + 1}, true)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	defer it.release()
	for ok := it.first(); ok; {
		prefix, _, in := keyenc.KeyspaceOf(it.key)
		if !in {
			fault("row %q is in no keyspace", it.key)
			ok = it.next()
			continue
		}
		if number := keyspaceNumber(prefix); names[number] == "" {
			fault("row %q is of keyspace number %d, which there is not", it.key, number)
		}
		if err := c.tick(); err != nil {
			return err
		}
		ok = it.seekGE(append(bytes.Clone(prefix), keyenc.SpaceElements+1)) // on to what is no row of it
	}
	return errors.Join(append(errs, it.err)...)
}
