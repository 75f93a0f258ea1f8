package base

// TableProperties is what is known of a finished table. The writer gathers it,
// the table's properties block and the manifest both hold it, and picking
// compactions needs nothing else.
type TableProperties struct {
	ID     uint64 // random; every block checksum of the table is bound to it
	Size   uint64 // bytes of the whole file
	Digest uint64 // xxhash of the whole file

	// Bounds over point records and range tombstones. LargestExclusive is set
	// if Largest is the end of a range tombstone and no record has that key.
	Smallest, Largest []byte
	LargestExclusive  bool

	MinSeq, MaxSeq SeqNum // range tombstones included

	Puts            uint64
	Deletes         uint64
	RangeDeletes    uint64 // tombstones
	MetaRows        uint64 // puts that are metadata of a collection
	CollectionBytes uint64 // what those say their elements take
	KeyBytes        uint64 // of all records, before encoding
	ValueBytes      uint64
	Shadowed        uint64 // point records that a newer one of the same key in the table hides

	// Expiry, milliseconds since 1970, over the records that have one; 0 if none
	// has. Expiring counts them.
	MinExpiry, MaxExpiry int64
	Expiring             uint64
}

// Records returns the number of point records.
func (p *TableProperties) Records() uint64 { return p.Puts + p.Deletes }

// AllExpire reports whether the table holds nothing but puts that expire.
func (p *TableProperties) AllExpire() bool {
	return p.Deletes == 0 && p.RangeDeletes == 0 && p.Puts > 0 && p.Expiring == p.Puts
}
