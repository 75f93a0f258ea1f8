package main

// copyMutants are faults of checkpoints, backups and restores, of what waits for a
// commit, and of what the reaper ends.
var copyMutants = []mutant{
	{
		name: "copy-newest-memtable-left-out", file: "internal/engine/checkpoint/source.go",
		old: `for i, m := range slices.Backward(p.rs.Imms) {`, new: `for i, m := range slices.Backward(p.rs.Imms[min(1, len(p.rs.Imms)):]) {`,
		why: "a checkpoint of a store that is open for reading only lacks its newest log", tests: []string{"internal/engine/checkpoint", ". Checkpoint", ". Scripts"},
	}, {
		name: "copy-clock-goes-back", file: "internal/engine/checkpoint/source.go",
		old: `state.Clock = max(state.Clock, s.Clock.Now())`, new: `state.Clock = max(state.Clock, 0)`,
		why: "expired keys come back in a copy", tests: []string{"internal/engine/checkpoint", "internal/engine/backup", ". Checkpoint", ". Scripts"},
	}, {
		name: "copy-over-what-is-there", file: "internal/storedir/partial.go",
		old: `if err := p.target.MustBeAbsent(); err != nil {`, new: `if err := p.target.MustBeAbsent(); false {`,
		why: "a checkpoint replaces what came to its place meanwhile", tests: []string{"internal/storedir", ". Checkpoint"},
	}, {
		name: "backup-table-missing", file: "internal/engine/backup/chain.go",
		old: `if _, ok := c.have[t]; !ok {`, new: `if _, ok := c.have[t]; false && !ok {`,
		why: "a chain of backups without one of its tables is restored", tests: []string{"internal/engine/backup", "archive"},
	}, {
		name: "backup-link-missing", file: "internal/engine/backup/chain.go",
		old: `case h.Since != before.Backup || h.Store != before.Store:`, new: `case h.Store != before.Store:`,
		why: "a chain of backups with one left out is restored to a state that never was", tests: []string{"internal/engine/backup"},
	}, {
		name: "backup-of-a-damaged-table", file: "internal/engine/backup/send.go",
		old: `if err == nil && sent.Digest != t.Digest {`, new: `if err == nil && false {`,
		why: "a backup is made of damaged files, and nobody is told", tests: []string{"internal/engine/backup"},
	}, {
		name: "backup-tables-of-the-past", file: "internal/engine/backup/chain.go",
		old: `if c.last.Mark.Has(t) {`, new: `if c.last.Mark.Has(t) || !c.last.Mark.IsZero() {`,
		why: "a restored store keeps files of all backups before", tests: []string{"internal/engine/backup"},
	}, {
		name: "backup-numbers-again", file: "internal/engine/backup/restore.go",
		old: `max(e.FileLimit, r.next)`, new: `e.FileLimit`,
		why: "a restored store gives the number of a table to another file", tests: []string{"internal/engine/backup", "archive"},
	}, {
		name: "backup-has-no-branch", file: "internal/engine/backup/restore.go",
		old: `state.Parent, state.Branch = r.last.Mark.Store, state.LastSeq`, new: `state.Parent, state.Branch = r.last.Mark.Store, 0`,
		why: "who follows a restored store is told of another one's positions", tests: []string{"internal/engine/backup", "changes"},
	}, {
		name: "archive-block-sum", file: "archive/reader.go",
		old: `if le.Uint64(head[16:]) != blockSum(a.head.Backup, head[:], a.payload) {`, new: `if false {`,
		why: "a damaged backup is restored", tests: []string{"archive"},
	}, {
		name: "archive-blocks-in-any-order", file: "archive/reader.go",
		old: `le.Uint64(head[8:]) != a.ordinal ||`, new: ``,
		why: "blocks of a backup that were put in another's place are restored", tests: []string{"archive"},
	}, {
		name: "archive-bytes-behind", file: "archive/reader.go",
		old: `switch n, err := io.ReadFull(a.r, make([]byte, 1)); {`, new: `switch n, err := 0, io.EOF; {`,
		why: "two backups in one file are taken for the first", tests: []string{"archive"},
	}, {
		name: "wait-served-wakes-nobody", file: "internal/engine/waiters/line.go",
		old: `l.offered > seq {`, new: `false {`,
		why: "an item that came while the first caller was served wakes nobody", tests: []string{"internal/engine/waiters"},
	}, {
		name: "wait-leaver-wakes-nobody", file: "internal/engine/waiters/line.go",
		old: `if l, wasFirst := p.outLocked(); wasFirst {`, new: `if l, wasFirst := p.outLocked(); wasFirst && false {`,
		why: "an item waits beside its callers when the first gives up", tests: []string{"internal/engine/waiters"},
	}, {
		name: "wait-range-delete-of-the-first", file: "internal/engine/waiters/registry.go",
		old: `if string(o.Key) <= row && row < string(o.Value) {`, new: `if string(o.Key) < row && row < string(o.Value) {`,
		why: "who watches the first key of a deleted range is not told", tests: []string{"internal/engine/waiters", ". Wait"},
	}, {
		name: "wait-looked-before-it-listened", file: "internal/engine/txn/wait.go",
		old: `if d.ID != 0 && l.place.Follow(collection.AppendRowsOf(nil, l.ks.Prefix(), d.ID)) {`, new: `if d.ID != 0 && l.place.Follow(collection.AppendRowsOf(nil, l.ks.Prefix(), d.ID)) && false {`,
		why: "an item that came between the look and the sleep wakes nobody", tests: []string{"internal/engine/txn", "internal/engine/waiters", ". Wait|Watch|Items"},
	}, {
		name: "reaper-one-too-many", file: "internal/engine/reaper/reaper.go",
		old: `keyenc.CollectionRange(keyspace.Prefix(d.Keyspace), d.First, d.Last)`, new: `keyenc.CollectionRange(keyspace.Prefix(d.Keyspace), d.First, d.Last+1)`,
		why: "a living collection loses its elements with its neighbour", tests: []string{". Reaper|Dead|Suspects|Typed"},
	}, {
		name: "reaper-joins-over-a-gap", file: "internal/engine/reaper/reaper.go",
		old: `x.First <= out[n-1].Last+1 {`, new: `x.First <= out[n-1].Last+2 {`,
		why: "a living collection between two dead ones loses its elements", tests: []string{"internal/engine/reaper", ". Reaper|Dead|Suspects|Typed"},
	}, {
		name: "reaper-joins-keyspaces", file: "internal/engine/reaper/reaper.go",
		old: `out[n-1].Keyspace == x.Keyspace && x.First`, new: `x.First`,
		why: "elements of dead collections stay for ever, if those of another keyspace died with them", tests: []string{"internal/engine/reaper", ". Reaper|Dead|Suspects|Typed|Keyspace"},
	}, {
		name: "reaper-ended-not-told", file: "internal/engine/reaper/reaper.go",
		old: "\t\tt.NoteExpired(v.row)\n", new: "",
		why: "a collection that expired is told as deleted by somebody", tests: []string{"changes"},
	}, {
		name: "reaper-ends-the-living", file: "internal/engine/reaper/ended.go",
		old: `f.Expiry != 0 && !f.OK {`, new: `f.Expiry != 0 {`,
		why: "a key that got a new time to live is deleted when a merge meets its old record", tests: []string{"changes"},
	}, {
		name: "purge-one-too-many", file: "internal/collection/due.go",
		old: `if deadline > t.Now() {
			t.Until(cur.Key(), deadline)
			return deadline, nil`, new: `if deadline > t.Now()+1 {
			t.Until(cur.Key(), deadline)
			return deadline, nil`,
		why: "an element is purged a moment before it is due", tests: []string{"internal/collection", "typed"},
	}, {
		name: "purge-counts-what-it-left", file: "internal/collection/due.go",
		old: `if n == PurgeLimit {
			return false, nil
		}
		n++`, new: `n++
		if n == PurgeLimit {
			return false, nil
		}`,
		why: "a collection counts an element less than it has once many were due", tests: []string{"internal/collection", "typed"},
	}, {
		name: "commit-visible-before-inserted", file: "internal/engine/commit/section.go",
		old: "\t\tc.InsertInto(s.mem.Table, 0, s.lastSeq+1, c.owned)\n\t\ts.mem.Tombstones += c.tombstones()\n\t\ts.publishLocked(c.count)\n",
		new: "\t\ts.publishLocked(c.count)\n\t\tc.InsertInto(s.mem.Table, 0, s.lastSeq+1-base.SeqNum(c.count), c.owned)\n\t\ts.mem.Tombstones += c.tombstones()\n",
		why: "a reader sees half of a batch", tests: []string{". SumIsConstant", ". Concurrent|Snapshot"},
	}, {
		name: "commit-large-in-the-wrong-order", file: "internal/engine/commit/section.go",
		old: `append([]*readstate.Mem{batch, old}, rs.Imms...)`, new: `append([]*readstate.Mem{old, batch}, rs.Imms...)`,
		why: "what a large batch overwrote hides it", tests: []string{"internal/engine/commit", ". Large|LargerThan", ". StoreAnswers"},
	}, {
		name: "commit-large-drops-its-end", file: "internal/engine/commit/pieces.go",
		old: `for i := range len(p.full) + 1 {`, new: `for i := range max(len(p.full), 1) {`,
		why: "a large batch loses its last operations", tests: []string{"internal/engine/commit", ". Batch|Large"},
	}, {
		name: "log-buffered-acked-as-written", file: "internal/engine/commitlog/wait.go",
		old: `return l.written >= g.pos && l.segs[0].Number >= g.first`, new: `return l.appended >= g.pos && l.segs[0].Number >= g.first`,
		why: "a killed process loses what was promised to survive that", tests: []string{"internal/engine/commitlog", ". KilledProcess"},
	}, {
		name: "range-delete-one-key-short", file: "range.go",
		old: "\t\tbuf = keyenc.AppendKeyRow(buf, prefix, r.Upper)\n", new: "\t\tbuf = keyenc.AppendKeyRow(buf, prefix, r.Upper[:max(len(r.Upper)-1, 0)])\n",
		why: "a range ends before its last keys", tests: []string{". Range"},
	}, {
		name: "range-of-all-leaves-elements", file: "range.go",
		old: `if err == nil && len(r.Lower) == 0 && r.Upper == nil {`, new: `if false {`,
		why: "elements stay for ever when all keys are deleted", tests: []string{". Range", ". Reaper|Dead|Scripts"},
	},
}
