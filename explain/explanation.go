package explain

import "time"

// Explanation shows, source by source, why a read of one key returns what it does.
type Explanation struct {
	Keyspace string `json:",omitempty"` // empty: the default one
	Key      []byte
	Seq      uint64    // largest sequence number that was visible
	Now      time.Time // on the store's clock
	Sources  []Source  // newest first: the first that knows the key decides
	Verdict  Verdict
}

// Source is a memtable, or the table of a run, that a read may search for the key.
type Source struct {
	Name      string // "memtable", "full memtable 1", "run 3, level 6: 000012.sst"
	Skipped   string // why a read does not search it for the key, or empty
	Decides   bool
	Versions  []Version // newest first, at most 16
	More      bool      // there are older ones
	RangeDels []uint64  // sequence numbers of range deletes over the key, newest first, at most 16
	Covered   int       // by how many range deletes: more than RangeDels if that is full
}

// Version is one record of the key.
type Version struct {
	Seq    uint64 // 0: older than every reader, and the number was dropped
	Delete bool
	Type   string    // "string", "hash", …
	Bytes  int       // of the value; of a collection, of its metadata
	Expiry time.Time // zero: none
}

// Verdict is the answer.
type Verdict struct {
	Present bool
	Reason  string // "present", "never written or forgotten", "deleted", "range-deleted" or "expired"
	Source  string // name of the source that decides, or empty
	Seq     uint64 // of the record or range delete that decides
	Type    string
	Bytes   int
	Expiry  time.Time     // zero: none
	TTL     time.Duration // of a key that is present; siltstone.NoTTL: it does not expire
	// Collection is set if the key holds, or held, a collection.
	Collection *Collection
}

// Collection is the metadata of a collection.
type Collection struct {
	Inline   bool      // its elements are in the metadata
	ID       uint64    // of its element rows; 0 if inline
	Elements uint64    // expired ones that were not removed yet count too
	Bytes    uint64    // of the element rows, about; 0 if inline
	NextDue  time.Time // earliest expiry of an element; zero: none
}
