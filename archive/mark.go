package archive

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
)

// Table names a table file. Files with one name have the same bytes.
type Table struct{ ID, Size, Digest uint64 }

// Mark names a backup and the tables of its state. A later backup of the same store that
// is made since it leaves those tables out. The zero Mark names none.
type Mark struct {
	Store  uint64  // id of the store; 0: the tables may be of several
	Backup uint64  // id of the backup
	Tables []Table // by id; who changes them owns the slice
}

// IsZero reports whether the mark names no backup.
func (m Mark) IsZero() bool { return m.Store == 0 && m.Backup == 0 && len(m.Tables) == 0 }

// Has reports whether the mark names the table. It costs a binary search.
func (m Mark) Has(t Table) bool {
	i, found := slices.BinarySearchFunc(m.Tables, t, compareTables)
	return found && m.Tables[i] == t
}

// Sort puts the tables in the order that Has and DB.Backup take for granted.
func (m Mark) Sort() { sortTables(m.Tables) }

// Bytes returns the size of all tables.
func (m Mark) Bytes() (n int64) {
	for _, t := range m.Tables {
		n += int64(t.Size)
	}
	return n
}

const (
	markMagic = "siltMRK\n"
	markHead  = 32
	tableSize = 24
)

// MarshalBinary returns the mark as bytes, to be kept where the backup is sent from. They
// take 40 bytes, and 24 for each table.
//
//	 0       8       16       24       28      32
//	+-------+-------+--------+--------+-------+------------------------+----------+
//	| magic | store | backup | tables | zeros | id, size, digest: 24 B | xxhash64 |
//	| 8 B   | 8 B   | 8 B    | 4 B    | 4 B   | for each table         | 8 B      |
//	+-------+-------+--------+--------+-------+------------------------+----------+
func (m Mark) MarshalBinary() ([]byte, error) {
	if len(m.Tables) > maxTables {
		return nil, fmt.Errorf("siltstone: a mark of %d tables, at most %d", len(m.Tables), maxTables)
	}
	le := binary.LittleEndian
	b := append(make([]byte, 0, markHead+tableSize*len(m.Tables)+8), markMagic...)
	b = le.AppendUint64(b, m.Store)
	b = le.AppendUint64(b, m.Backup)
	b = le.AppendUint64(b, uint64(len(m.Tables)))
	for _, t := range m.Tables {
		b = le.AppendUint64(le.AppendUint64(le.AppendUint64(b, t.ID), t.Size), t.Digest)
	}
	return le.AppendUint64(b, xxhash.Sum64(b)), nil
}

// UnmarshalBinary reads what MarshalBinary returned. Any bytes are safe to pass. What is
// no mark, or a damaged one, is ErrCorruption, and leaves m as it was.
func (m *Mark) UnmarshalBinary(b []byte) error {
	le := binary.LittleEndian
	n := len(b) - markHead - 8
	switch {
	case n < 0 || n%tableSize != 0 || string(b[:len(markMagic)]) != markMagic:
		return base.Corruptf("mark", -1, "not the mark of a backup")
	case le.Uint64(b[len(b)-8:]) != xxhash.Sum64(b[:len(b)-8]):
		return base.Corruptf("mark", -1, "does not verify")
	case le.Uint64(b[24:]) != uint64(n/tableSize) || n/tableSize > maxTables:
		return base.Corruptf("mark", 24, "names another number of tables than it has")
	}
	got := Mark{Store: le.Uint64(b[8:]), Backup: le.Uint64(b[16:])}
	for at := markHead; at < len(b)-8; at += tableSize {
		got.Tables = append(got.Tables, Table{le.Uint64(b[at:]), le.Uint64(b[at+8:]), le.Uint64(b[at+16:])})
	}
	sortTables(got.Tables)
	*m = got
	return nil
}

// compareTables orders tables by id, then by the rest.
func compareTables(a, b Table) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Size, b.Size), cmp.Compare(a.Digest, b.Digest))
}

func sortTables(all []Table) { slices.SortFunc(all, compareTables) }

// StateTables returns the tables that an encoded state lists, by id. A state is what the
// manifest of the store would begin with.
func StateTables(state []byte) ([]Table, error) {
	e, err := manifest.DecodeEdit(state)
	if err != nil {
		return nil, err
	}
	if len(e.Removed)+len(e.Settled) > 0 || !e.Clean {
		return nil, errors.New("the state is none to begin a store with")
	}
	if _, err := manifest.NewState(1).Apply(e); err != nil {
		return nil, err
	}
	all := make([]Table, len(e.Added))
	for i, t := range e.Added {
		all[i] = Table{t.ID, t.Size, t.Digest}
	}
	sortTables(all)
	return all, nil
}

// Summary says what a stream holds.
type Summary struct {
	Mark   Mark      // of the state
	Since  uint64    // id of the backup that this one adds to; 0: it is whole by itself
	Time   time.Time // the store's clock
	Tables int       // in the stream; the state may have more, which earlier backups hold
	Bytes  int64     // of the stream
}

// String returns the summary as one line.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "backup %016x of store %016x at %s: %d tables of %d", s.Mark.Backup, s.Mark.Store, s.Time.UTC().Format(time.RFC3339), s.Tables, len(s.Mark.Tables))
	if s.Since != 0 {
		fmt.Fprintf(&b, ", since %016x", s.Since)
	}
	fmt.Fprintf(&b, ", %d bytes", s.Bytes)
	return b.String()
}
