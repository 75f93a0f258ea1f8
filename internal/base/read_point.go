package base

// ReadPoint is a registered reader's place in time: it sees the records with a
// sequence of at most Seq, as they are at Clock (milliseconds since 1970).
type ReadPoint struct {
	Seq   SeqNum
	Clock int64
}
