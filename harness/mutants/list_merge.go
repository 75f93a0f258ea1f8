package main

// mergeMutants are faults of flushes and merges: the order of their durable steps, what
// leaves a store in them, and what is picked.
var mergeMutants = []mutant{
	{
		name: "flush-name-not-synced", file: "internal/engine/background/flush.go",
		old: `if err := w.cfg.Dir.Sync(); err != nil {`, new: `if err := error(nil); err != nil {`,
		why: "a log is removed whose table a power cut takes away", tests: []string{"internal/engine/background", ". PowerCut"},
	}, {
		name: "flush-table-not-synced", file: "compaction/output.go",
		old: `if err := o.sink.Sync(); err != nil {`, new: `if err := error(nil); err != nil {`,
		why: "a log is removed whose table is empty after a power cut", tests: []string{"compaction", ". PowerCut"},
	}, {
		name: "flush-retires-too-much", file: "internal/engine/background/flush.go",
		old: `edit.MinLog = next.Log`, new: `edit.MinLog = rs.Mem.Log`,
		why: "the log of a memtable that still waits is retired: a crash loses it", tests: []string{"internal/engine/background", ". PowerCut", ". FlushesInstall|KilledProcess"},
	}, {
		name: "flush-sequence-forgotten", file: "internal/engine/background/flush.go",
		old: `edit := &manifest.Edit{LastSeq: mem.MaxSeq()}`, new: `edit := &manifest.Edit{}`,
		why: "new commits are older than what was flushed, if the logs are gone", tests: []string{"internal/engine/background", ". PowerCut", ". Sequences"},
	}, {
		name: "merge-name-not-synced", file: "internal/engine/background/merge.go",
		old: `err = w.cfg.Dir.Sync()`, new: `err = nil`,
		why: "inputs are removed whose output a power cut takes away", tests: []string{"internal/engine/background", ". PowerCut"},
	}, {
		name: "merge-tables-left", file: "internal/engine/background/merge.go",
		old: "\tw.discardTables(res.Tables)\n", new: "",
		why: "a merge whose tables cannot be named leaves them until the next start", tests: []string{"internal/engine/background", ". AMerge"},
	}, {
		name: "merge-last-level-not-older", file: "compaction/older.go",
		old: `if r.Age < age {`, new: `if r.Age < age && r.Level != manifest.LastLevel {`,
		why: "a delete is dropped above what it deleted", tests: []string{"compaction"},
	}, {
		name: "merge-nothing-is-older", file: "compaction/fate.go",
		old: `free := r.Seq <= h.oldest && !s.older`, new: `free := r.Seq <= h.oldest`,
		why: "a delete is dropped above what it deleted", tests: []string{"compaction"},
	}, {
		name: "merge-drops-what-a-snapshot-needs", file: "compaction/fate.go",
		old: `free := r.Seq <= h.oldest && !s.older`, new: `free := !s.older`,
		why: "a delete is dropped that a snapshot must not see yet", tests: []string{"compaction"},
	}, {
		name: "merge-later-clock", file: "compaction/read_points.go",
		old: "\t\th.clock = min(h.clock, p.Clock)\n", new: "",
		why: "a merge drops what expired after a snapshot was made", tests: []string{"compaction"},
	}, {
		name: "merge-point-at-the-record", file: "compaction/read_points.go",
		old: `i, _ := slices.BinarySearch(h.seqs, from)`, new: `i, _ := slices.BinarySearch(h.seqs, from+1)`,
		why: "a merge drops the very record after which a snapshot was made", tests: []string{"compaction"},
	}, {
		name: "merge-expired-hides-nothing", file: "compaction/fate.go",
		old: `return buried`, new: `return expired`,
		why: "an expired record leaves, and the value before it comes back", tests: []string{"compaction"},
	}, {
		name: "merge-zeroed-under-range-delete", file: "compaction/fate.go",
		old: `case free && !s.under && r.Seq != 0:`, new: `case free && r.Seq != 0:`,
		why: "a record is hidden by a range delete that is older than it", tests: []string{"compaction"},
	}, {
		name: "merge-range-delete-too-early", file: "compaction/fate.go",
		old: `if t.Seq > h.oldest || overlaps(t.Start, t.End) {`, new: `if t.Seq > h.oldest {`,
		why: "a range delete is dropped above what it deleted", tests: []string{"compaction"},
	}, {
		name: "merge-range-delete-of-a-snapshot", file: "compaction/fate.go",
		old: `if t.Seq > h.oldest || overlaps(t.Start, t.End) {`, new: `if overlaps(t.Start, t.End) {`,
		why: "a range delete is dropped whose rows stay for a snapshot, and they come back", tests: []string{"compaction"},
	}, {
		name: "merge-range-delete-at-a-point", file: "compaction/fate.go",
		old: `return ts[k].Seq > h.seqs[i]`, new: `return ts[k].Seq > h.seqs[i]+1`,
		why: "a snapshot loses the range delete right after which it was made", tests: []string{"compaction"},
	}, {
		name: "merge-range-delete-not-clipped", file: "compaction/output.go",
		old: "\t\t\tt.End = end\n", new: "",
		why: "a range delete reaches over the end of its table", tests: []string{"compaction"},
	}, {
		name: "merge-range-delete-cut-off", file: "compaction/output.go",
		old: `o.cut = append(o.cut, rangedel.Tombstone{Start: end, End: t.End, Seq: t.Seq})`, new: `_ = end`,
		why: "a range delete ends with the first table it is in", tests: []string{"compaction"},
	}, {
		name: "merge-key-split", file: "compaction/output.go",
		old: `if o.again {`, new: `if o.again && !o.full(e.Key) {`,
		why: "versions of a key stand in two tables of a run, of which one is searched", tests: []string{"compaction"},
	}, {
		name: "merge-books-not-balanced", file: "compaction/merge.go",
		old: `if uint64(want) != s.In {`, new: `if false {`,
		why: "an input that yields too few records is replaced by the rest of it", tests: []string{"compaction"},
	}, {
		name: "merge-dead-not-nominated", file: "compaction/nomination.go",
		old: "\t\tn.nominate(e, id, ended, ranges)\n", new: "\t\t_ = n.nominate\n",
		why: "the elements of an overwritten collection stay for ever", tests: []string{"compaction"},
	}, {
		name: "pick-drops-what-a-snapshot-needs", file: "compaction/pick_free.go",
		old: `case p.busy[t.Num] || t.MaxSeq > p.in.OldestReadSeq || `, new: `case p.busy[t.Num] || `,
		why: "a table that a snapshot reads is dropped", tests: []string{"compaction"},
	}, {
		name: "pick-later-clock", file: "compaction/pick_free.go",
		old: `t.MaxExpiry <= min(p.in.Now, p.in.OldestReadClock)`, new: `t.MaxExpiry <= p.in.Now`,
		why: "a table is dropped that had not expired when a snapshot was made", tests: []string{"compaction"},
	}, {
		name: "pick-expired-hides-nothing", file: "compaction/pick_free.go",
		old: `case p.allExpired(t) && !p.overlapsFrom(i+1, TableSpan(t)):`, new: `case p.allExpired(t) && i >= 0:`,
		why: "an expired table is dropped, and older values come back", tests: []string{"compaction"},
	}, {
		name: "pick-moves-below-older", file: "compaction/pick_free.go",
		old: `return !p.busy[t.Num] && p.clear(s) && !p.overlapsFrom(i+1, s)`, new: `return !p.busy[t.Num] && p.clear(s)`,
		why: "a table is moved below what is older", tests: []string{"compaction"},
	}, {
		name: "work-damage-not-frozen", file: "internal/engine/background/freeze.go",
		old: `if kind != base.FileTable || !c.Takes(num) {`, new: `if kind == base.FileTable || !c.Takes(num) {`,
		why: "a damaged block stops all merges", tests: []string{"internal/engine/background", ". FreezesItsRange"},
	}, {
		name: "work-two-merges-of-a-table", file: "internal/engine/background/compact.go",
		old: `case w.stopping || w.changes != changes:`, new: `case w.stopping:`,
		why: "two merges take the same table", tests: []string{"internal/engine/background", ". Concurrent"},
	}, {
		name: "beside-log-not-synced", file: "internal/engine/beside/logs.go",
		old: `if err := newest.file.Sync(); err != nil {`, new: `if err := error(nil); newest == nil && err != nil {`,
		why: "a reader beside the writer knows what a power cut takes back", tests: []string{"internal/engine/beside"},
	}, {
		name: "beside-moved-is-damage", file: "internal/engine/beside/next.go",
		old: `case !mayHaveMoved(err):`, new: `case mayHaveMoved(err) || true:`,
		why: "a reader takes what the writer has removed for damage", tests: []string{"internal/engine/beside"},
	}, {
		name: "beside-gaps-shared", file: "internal/engine/readstate/state.go",
		old: `if s.Following {`, new: `if false {`,
		why: "a reader passes over keys that the writer put where nothing was", tests: []string{"internal/engine/beside"},
	}, {
		name: "beside-snapshot-not-held", file: "snapshot.go",
		old: `if db.states.Following {`, new: `if false {`,
		why: "a snapshot of a reader moves on", tests: []string{"internal/engine/beside"},
	}, {
		name: "beside-drop-not-told", file: "beside.go",
		old: `s.End(f.LastSeq)`, new: `_ = s`,
		why: "a handle reads a keyspace that is another by now", tests: []string{"internal/engine/beside"},
	}, {
		name: "copy-without-the-last-commits", file: "internal/engine/checkpoint/source.go",
		old: `if err := s.Flush(ctx); err != nil {`, new: `if err := ctx.Err(); err != nil {`,
		why: "a checkpoint lacks what was not flushed", tests: []string{". Checkpoint", ". Scripts"},
	}, {
		name: "copy-has-its-parents-id", file: "internal/engine/checkpoint/source.go",
		old: `state.DBID, state.Parent = id, state.DBID`, new: `state.DBID, state.Parent = state.DBID|id&0, state.DBID`,
		why: "logs of parent and copy are taken for each other's", tests: []string{". Checkpoint|ParentAndCopy", ". Scripts"},
	},
}
