package readstate

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// RecordSink takes the records of operations: a memtable, or the Builder of one.
type RecordSink interface {
	Add(hash uint64, key []byte, tr base.Trailer, value []byte)
	AddReferenced(hash uint64, key []byte, tr base.Trailer, value []byte)
	AddRangeDelete(start, end []byte, seq base.SeqNum)
}

// Insert adds the record that operation o makes at seq; hash is that of its row.
// An owned value, which will not change any more, may be referenced instead of copied.
func Insert(t RecordSink, hash uint64, o record.Op, seq base.SeqNum, owned bool) {
	tr := base.Trailer{Seq: seq, Expiry: o.Expiry, Attr: o.Attr}
	switch {
	case o.Attr.Kind() == base.KindRangeDelete:
		t.AddRangeDelete(o.Key, o.Value, seq)
	case owned:
		t.AddReferenced(hash, o.Key, tr, o.Value)
	default:
		t.Add(hash, o.Key, tr, o.Value)
	}
}
