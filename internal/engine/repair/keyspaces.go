package repair

import (
	"context"
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/check"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
)

// mendKeyspaces gives every keyspace that has rows a name, and forgets names that
// no keyspace can have:
//
//	registry row at fault       goes
//	rows of an unnamed number   named "recovered-" and the number
//	row in no keyspace          goes
//
// A number without name may be that of a keyspace that had been dropped, if what
// was lost is its tombstone.
func mendKeyspaces(ctx context.Context, s *check.Store, b *batch, done *Mended) error {
	var errs []error
	note := func(fault error, what string, err error) {
		done.Keyspaces = append(done.Keyspaces, fmt.Errorf("%w: %s", fault, what))
		errs = append(errs, err)
	}
	names, err := check.Registered(ctx, *s, func(name string, fault error) {
		note(fault, "forgotten", b.delete(keyenc.AppendRegistryRow(nil, name)))
	})
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, name := range names {
		taken[name] = true
	}
	err = check.RowsOfNoKeyspace(ctx, *s, names, func(row []byte, number uint32, fault error) {
		prefix := keyspace.Prefix(number)
		switch {
		case number == 0:
			note(fault, "removed", b.delete(row))
		case number >= s.State.KeyspaceLimit: // no number is left above it
			note(fault, "removed", b.deleteRange(prefix, base.Successor(prefix)))
		default:
			name := freeName(fmt.Sprintf("recovered-%d", number), taken)
			note(fault, fmt.Sprintf("named %q", name), b.put(keyenc.AppendRegistryRow(nil, name), record.TypeNone, prefix))
		}
	})
	return errors.Join(errors.Join(errs...), err, b.flush())
}

// freeName returns a name that is not taken, and takes it.
func freeName(name string, taken map[string]bool) string {
	for taken[name] {
		name += "+"
	}
	taken[name] = true
	return name
}
