package main

// readMutants are faults of reads: states and what they pin, iterators, walks and gaps,
// the cache and the memtable.
var readMutants = []mutant{
	{
		name: "state-error-is-absence", file: "internal/engine/readstate/state.go",
		old: "v, tr, ok, err := r.Get(row, hash, seq, &f.Loan)\n\tif err != nil {\n\t\treturn false, err", new: "v, tr, ok, err := r.Get(row, hash, seq, &f.Loan)\n\tif err != nil {\n\t\treturn true, nil",
		why: "a block that cannot be read is a key that is not there", tests: []string{"internal/engine/readstate", ". Damaged|FailingCall"},
	}, {
		name: "state-range-delete-ignored", file: "internal/engine/readstate/state.go",
		old: `if ok && t.Seq >= cover { // both 0`, new: `if ok { // both 0`,
		why: "a range delete does not delete what is in the same memtable or table", tests: []string{"internal/engine/readstate", ". Scripts"},
	}, {
		name: "state-ends-under-iterators", file: "internal/engine/readstate/states.go",
		old: `if rs.Holders.Load() != 0 || !rs.Calls.Zero() || rs.Holders.Load() != 0 {`, new: `if !rs.Calls.Zero() {`,
		why: "files are removed under an open iterator", tests: []string{"internal/engine/readstate", ". Scripts"},
	}, {
		name: "state-point-not-registered", file: "internal/engine/readstate/points.go",
		old: `p.open = append(p.open, r)`, new: `_ = p.open`,
		why: "merges drop what an open snapshot sees", tests: []string{"internal/engine/readstate", ". Scripts"},
	}, {
		name: "state-point-stays", file: "internal/engine/readstate/points.go",
		old: `p.open = slices.Delete(p.open, i, i+1)`, new: `_ = i`,
		why: "after the first snapshot no merge frees anything", tests: []string{"internal/engine/readstate", ". Scripts", ". ComesBack|ReturnsTheDisk"},
	}, {
		name: "state-any-table", file: "internal/engine/readstate/tables.go",
		old: `Name: name, ID: m.ID, Digest`, new: `Name: name, Digest`,
		why: "a table of another store under the same name is read", tests: []string{"internal/engine/readstate", ". Misplaced|Check"},
	}, {
		name: "state-reader-closed-in-use", file: "internal/engine/readstate/tables.go",
		old: `holders: listing(alive, oldest)`, new: `holders: nil`,
		why: "a file is closed under a reader when too many are open", tests: []string{"internal/engine/readstate", ". MaxOpenFiles|FilesAreClosed"},
	}, {
		name: "state-walk-opens-all", file: "internal/engine/readstate/tables.go",
		old: `if t.reader.Load() == nil && t.cache.crowded() {`, new: `if false {`,
		why: "a walk opens more files than MaxOpenFiles", tests: []string{"internal/engine/readstate", ". MaxOpenFiles"},
	}, {
		name: "state-range-deletes-of-the-last", file: "internal/engine/readstate/tables.go",
		old: `rv.rangeDeletes = rv.rangeDeletes || m.RangeDeletes > 0`, new: `rv.rangeDeletes = m.RangeDeletes > 0`,
		why: "walks do not see the range deletes of a run whose last table has none", tests: []string{"internal/engine/readstate", ". StoreAnswers", ". Scripts"},
	}, {
		name: "state-run-end-inclusive", file: "internal/engine/readstate/run.go",
		old: `return c < 0 || c == 0 && t.LargestExclusive`, new: `return c < 0`,
		why: "the first key of a table is looked for in the one before, where a range delete ends", tests: []string{"internal/engine/readstate", ". StoreAnswers"},
	}, {
		name: "gap-seen-too-early", file: "internal/engine/readstate/gaps.go",
		old: `if p.backward != backward || seq < p.seq || !p.holds(key) {`, new: `if p.backward != backward || !p.holds(key) {`,
		why: "a snapshot passes over rows that were deleted after it", tests: []string{"internal/engine/readstate", ". StoreAnswers"},
	}, {
		name: "rows-empty-stretch-not-noted", file: "internal/engine/rows/iter.go",
		old: "\tdefault:\n\t\tit.Reads.AddInterval(it.from, it.upper, false)\n", new: "",
		why: "a scan that met the end does not rest on what it did not find", tests: []string{"internal/engine/rows", ". Scripts"},
	}, {
		name: "rows-last-row-not-noted", file: "internal/engine/rows/iter.go",
		old: `it.Reads.AddInterval(it.from, it.key, true)`, new: `it.Reads.AddInterval(it.from, it.key, false)`,
		why: "a scan does not rest on the row at which it stopped", tests: []string{"internal/engine/rows", "internal/engine/txn Serializable", ". Serializable", ". Scripts"},
	}, {
		name: "rows-expiry-not-noted", file: "internal/engine/rows/settle.go",
		old: "\t\tit.Reads.AddExpiry(it.key, t.Expiry)\n", new: "",
		why: "a scan does not rest on the life of the rows it met", tests: []string{"internal/engine/rows", ". Scripts", ". Expire|Deadline"},
	}, {
		name: "rows-iterators-not-closed", file: "internal/engine/rows/iter.go",
		old: "it.countCost()\n\t_ = it.merge.Close()\n", new: "it.countCost()\n",
		why: "what walks were lent stays counted, and their blocks stay in memory", tests: []string{"internal/engine/rows", ". Budget|Memory|MaxOpenFiles"},
	}, {
		name: "rows-value-moves", file: "internal/engine/rows/settle.go",
		old: `if !e.Lasting && e.Value != nil {`, new: `if false {`,
		why: "a walk backwards shows the value of another row", tests: []string{"internal/engine/rows", ". Backward|LongWalks", ". StoreAnswers"},
	}, {
		name: "iterator-ends-with-its-table", file: "internal/iterator/concat.go",
		old: `return c.forward(i+1, false)`, new: `return nil`,
		why: "a seek behind the last record of a table finds nothing", tests: []string{"internal/iterator"},
	}, {
		name: "iterator-bound-exclusive", file: "internal/iterator/concat.go",
		old: `return bytes.Compare(largest, c.lower) < 0`, new: `return bytes.Compare(largest, c.lower) <= 0`,
		why: "a walk backwards misses the row at its lower bound", tests: []string{"internal/iterator"},
	}, {
		name: "iterator-error-is-the-end", file: "internal/iterator/merging.go",
		old: `if err := k.it.Err(); err != nil {`, new: `if err := k.it.Err(); false {`,
		why: "a block that cannot be read is the end of its source, for merges as well", tests: []string{"internal/iterator"},
	}, {
		name: "iterator-stretch-outlives-a-seek", file: "internal/iterator/merging.go",
		old: `m.reverse, m.err, m.stream, m.streak = reverse, nil, 0, 0`, new: `m.reverse, m.err, m.streak = reverse, nil, 0`,
		why: "a walk goes on over a stretch that a seek has left", tests: []string{"internal/iterator"},
	}, {
		name: "cache-rows-of-any-table", file: "internal/cache/rows.go",
		old: `le.Uint64(at[8:]) == table && `, new: ``,
		why: "a row of a table that was merged away is shown", tests: []string{"internal/cache"},
	}, {
		name: "cache-dead-block-shared", file: "internal/cache/slot.go",
		old: "case dead:\n\t\t\treturn false", new: "case dead:\n\t\t\treturn true",
		why: "a block is read whose memory another has", tests: []string{"internal/cache"},
	}, {
		name: "cache-waste-adds-up", file: "internal/cache/cache.go",
		old: `c.reserved += n - c.counted`, new: `c.reserved += n`,
		why: "garbage is counted again at each look, until the cache has no room", tests: []string{"internal/cache"},
	}, {
		name: "cache-lends-without-bound", file: "internal/cache/cache.go",
		old: `if c.lent+n > c.limit/lendable {`, new: `if false {`,
		why: "many iterators read ahead into more memory than there is", tests: []string{"internal/cache"},
	}, {
		name: "memtable-leaf-not-raised", file: "memtable/table.go",
		old: "\t\tt.order.leaves[*a.word(node, nodeLeaf)].raise(tr.Seq)\n", new: "",
		why: "an overwritten row is no conflict for a scan over it", tests: []string{"memtable"},
	}, {
		name: "memtable-last-range-delete-only", file: "memtable/tombstones.go",
		old: `seq = max(seq, set.runs[i].list.Cover(key, limit))`, new: `seq = set.runs[i].list.Cover(key, limit)`,
		why: "an earlier range delete ends where a later one is elsewhere", tests: []string{"memtable"},
	}, {
		name: "memtable-used-again-with-range-deletes", file: "memtable/table.go",
		old: "\tt.deleted.Store(nil)\n", new: "",
		why: "range deletes of a flushed memtable delete what the next one takes", tests: []string{"memtable"},
	}, {
		name: "memtable-index-not-counted", file: "memtable/table.go",
		old: `left := t.arena.limit - t.arena.used - t.indexed.Load()`, new: `left := t.arena.limit - t.arena.used`,
		why: "a memtable takes more memory than its room", tests: []string{"memtable"},
	}, {
		name: "memtable-large-value-not-counted", file: "memtable/table.go",
		old: "\tt.outside.Add(int64(len(value)))\n", new: "",
		why: "large values are beside the budget", tests: []string{"memtable", ". LargeValues|Memory"},
	}, {
		name: "memtable-conflict-behind-the-end", file: "memtable/newer.go",
		old: `bytes.Compare(key, hi) >= 0 {`, new: `bytes.Compare(key, hi) > 0 {`,
		why: "a write of the key behind a scan is a conflict", tests: []string{"memtable"},
	}, {
		name: "memtable-older-version-lost", file: "memtable/builder.go",
		old: "\t\tt.hang(last.node, a.head(r.node))\n", new: "\t\t_ = a.head(r.node)\n",
		why: "of two versions in one batch or replayed memtable the older one is shown", tests: []string{"memtable"},
	}, {
		name: "memtable-range-delete-not-moved", file: "memtable/tombstones.go",
		old: `moved.runs = append(moved.runs, tombstoneRun{run.list.Shift(first), run.size})`, new: `moved.runs = append(moved.runs, run)`,
		why: "the range deletes of a large batch have no sequence and delete nothing", tests: []string{"memtable", ". LargerThan"},
	}, {
		name: "rangedel-own-sequence", file: "internal/rangedel/list.go",
		old: `case t.Seq <= limit:`, new: `case t.Seq < limit:`,
		why: "a snapshot does not see the range delete it was made right after", tests: []string{"internal/rangedel"},
	}, {
		name: "rangedel-own-sequence-below", file: "internal/rangedel/layers.go",
		old: `slices.BinarySearch(seqs, limit+1)`, new: `slices.BinarySearch(seqs, limit)`,
		why: "… if a later one lies over it", tests: []string{"internal/rangedel"},
	}, {
		name: "rangedel-moved-looks-old", file: "internal/rangedel/list.go",
		old: `layered: l.layered, maxSeq: l.maxSeq + by}`, new: `layered: l.layered, maxSeq: l.maxSeq}`,
		why: "a range delete in a large batch is no conflict", tests: []string{"internal/rangedel", "memtable"},
	}, {
		name: "rangedel-crossing-forgotten", file: "internal/rangedel/list.go",
		old: `layered := crossed || a.layered || b.layered`, new: `layered := crossed && false || a.layered || b.layered`,
		why: "snapshots lose a range delete that a later one crosses", tests: []string{"internal/rangedel"},
	},
}
