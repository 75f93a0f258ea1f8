package manifest

import (
	"github.com/siltstonedb/siltstone/internal/base"
)

// Edit is one change of the store's state. Whatever of it is zero or empty
// changes nothing, save Clean.
type Edit struct {
	Added   []*Table
	Removed []base.FileNum // of tables; one that is also added has moved

	MinLog        base.FileNum // logs below are retired: all they hold is in tables
	LastSeq       base.SeqNum  // every sequence up to it has been taken
	Clock         int64        // store clock the edit relied on, ms since 1970
	FileLimit     base.FileNum // log and table numbers below are reserved, and may be in use
	IDLimit       uint64       // the same for collection ids
	KeyspaceLimit uint32       // the same for keyspace numbers

	Nominated []IDRange // collections suspected to be dead
	Settled   []IDRange // those decided upon, and what follows from it durable

	// Clean says that the store was closed after this edit with nothing left in
	// its logs. Any later edit ends that.
	Clean bool
}

// IDRange is the collections First to Last, both included, of a keyspace; 0 is
// the default keyspace.
type IDRange struct {
	Keyspace    uint32
	First, Last uint64
}
