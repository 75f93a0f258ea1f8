package typed

// SmallRanks has the order of every set of more than four members counted, by
// small nodes, until undo is called.
func SmallRanks() (undo func()) {
	was := shape
	shape = rankShape{build: 4, drop: 2, bucket: 4, fan: 4, near: 2}
	return func() { shape = was }
}
