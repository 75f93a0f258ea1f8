package typed

// DrawPositions returns positions that Random draws.
func DrawPositions(t Txn, count uint64, n int) (at []uint64) {
	for _, p := range drawPositions(t, count, n) {
		at = append(at, p.at)
	}
	return at
}

// SmallRanks has the order of every set of more than four members counted, by
// small nodes, until undo is called.
func SmallRanks() (undo func()) {
	was := shape
	shape = rankShape{build: 4, drop: 2, bucket: 4, fan: 4, near: 2}
	return func() { shape = was }
}
