package invariants

// Rank is a lock's place in the order: a goroutine takes a lock only if its rank is
// above those of all locks that it holds.
type Rank uint8

// The locks of the engine, in the order in which they are taken. Leaf is the rank of
// the many that are held for a few instructions with nothing taken under them.
const (
	Leaf         Rank = iota
	Keyspaces         // keyspace.Registry.Changing, held across a commit
	KeyLock           // txn.keyLocks, held until a call's change is visible
	Rotating          // commit.Section.rotating, held across file system calls
	LogFiles          // commitlog.Prepared.making, held while files are made
	NumberBlocks      // manifest.Set.ids, held while a block of numbers is reserved
	Manifest          // manifest.Set.mu, held across an edit's write and sync
	Report            // the root's report.mu, held while an event is handed over
	LogSync           // commitlog.Log.syncing, held across a sync
	LogSpace          // commitlog.Log.alloc, held while space is reserved
	Ballast           // storedir.Ballast.mu, held while space is reserved or given back
	RangeDeletes      // readstate.State.olderMu, held while tables are opened
	OpenTable         // readstate.Table.opening, held while one is opened
	Section           // commit.Section.mu: nothing waits, no I/O
	FlushQueue        // commit.flushQueue.mu
	Work              // background.Work.mu: no I/O, no Pick
	States            // readstate.States.mu
	Tables            // readstate.Tables.mu
	Nominations       // manifest.Nominations.mu
	ReadPoints        // readstate.Points.mu
	Recycler          // commit.Recycler.mu
	Waste             // background.waste.mu
	ranks
)

// rules says what is special about a rank.
var rules = [ranks]struct {
	name string
	noIO bool // no file system call while it is held
}{
	Leaf:         {name: "a leaf"},
	Keyspaces:    {name: "keyspace.Registry.Changing"},
	KeyLock:      {name: "txn.keyLocks"},
	Rotating:     {name: "commit.Section.rotating"},
	LogFiles:     {name: "commitlog.Prepared.making"},
	NumberBlocks: {name: "manifest.Set.ids"},
	Manifest:     {name: "manifest.Set.mu"},
	Report:       {name: "report.mu"},
	LogSync:      {name: "commitlog.Log.syncing"},
	LogSpace:     {name: "commitlog.Log.alloc"},
	Ballast:      {name: "storedir.Ballast.mu"},
	RangeDeletes: {name: "readstate.State.olderMu"},
	OpenTable:    {name: "readstate.Table.opening"},
	Section:      {name: "commit.Section.mu", noIO: true},
	FlushQueue:   {name: "commit.flushQueue.mu", noIO: true},
	Work:         {name: "background.Work.mu", noIO: true},
	States:       {name: "readstate.States.mu", noIO: true},
	Tables:       {name: "readstate.Tables.mu"},
	Nominations:  {name: "manifest.Nominations.mu", noIO: true},
	ReadPoints:   {name: "readstate.Points.mu", noIO: true},
	Recycler:     {name: "commit.Recycler.mu", noIO: true},
	Waste:        {name: "background.waste.mu", noIO: true},
}

func (r Rank) String() string { return rules[r].name }
