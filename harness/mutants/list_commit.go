package main

// commitMutants are faults of commits and transactions: what is validated, what is
// published and when, who waits for whom, and what is counted.
var commitMutants = []mutant{
	{
		name: "commit-flushed-not-validated", file: "internal/engine/commit/validate.go",
		old: `case rs.TableSeq > checked:`, new: `case false:`,
		why: "a change that a flush took to a table between two validations is no conflict", tests: []string{"internal/engine/commit", "internal/engine/txn ManyReads", ". Serializable|Conflict"},
	}, {
		name: "commit-table-by-its-oldest", file: "internal/engine/commit/validate.go",
		old: `if t.MaxSeq > since {`, new: `if t.MinSeq > since {`,
		why: "changes in a table that also has older records are no conflict", tests: []string{"internal/engine/commit", "internal/engine/txn ManyReads", ". Serializable|Conflict|Scripts"},
	}, {
		name: "commit-sealed-not-validated", file: "internal/engine/commit/validate.go",
		old: `for _, m := range rs.Imms {`, new: `for _, m := range rs.Imms[:0] {`,
		why: "changes in memtables that wait to be flushed are no conflict", tests: []string{"internal/engine/commit", "internal/engine/txn ManyReads", ". Serializable|Conflict"},
	}, {
		name: "commit-point-under-range-delete", file: "internal/engine/commit/validate.go",
		old: `m.Newer(p.Hash, p.Row, since) || m.CoverSeq(p.Row, base.SeqMax) > since {`, new: `m.Newer(p.Hash, p.Row, since) {`,
		why: "a key that was read and deleted by a range is no conflict", tests: []string{"internal/engine/commit", ". Scripts"},
	}, {
		name: "commit-interval-under-range-delete", file: "internal/engine/commit/validate.go",
		old: `if m.RangeDeletesNewer(i.Lo, hi, since) {`, new: `if false {`,
		why: "a scan whose rows were deleted by a range is no conflict", tests: []string{"internal/engine/commit", ". Scripts"},
	}, {
		name: "commit-table-point-under-range-delete", file: "internal/engine/commit/validate.go",
		old: `if t.RangeDeletes > 0 && r.RangeDeletes().Cover(p.Row, base.SeqMax) > since {`, new: `if false {`,
		why: "… nor if the range delete was flushed meanwhile", tests: []string{"internal/engine/commit", "internal/engine/txn ManyReads", ". Conflict|Scripts"},
	}, {
		name: "commit-table-interval-under-range-delete", file: "internal/engine/commit/validate.go",
		old: `if t.RangeDeletes > 0 && r.RangeDeletes().Overlaps(i.Lo, hi, since) {`, new: `if false {`,
		why: "… nor a scan, if the range delete was flushed meanwhile", tests: []string{"internal/engine/commit", "internal/engine/txn ManyReads", ". Conflict|Scripts"},
	}, {
		name: "commit-next-change-missed", file: "internal/engine/commit/validate.go",
		old: `if ok && tr.Seq > since {`, new: `if ok && tr.Seq > since+1 {`,
		why: "the first change after a read is no conflict", tests: []string{"internal/engine/commit", "internal/engine/txn ManyReads", ". Conflict|Scripts"},
	}, {
		name: "commit-expired-at-the-moment", file: "internal/engine/commit/validate.go",
		old: `expiry != 0 && expiry <= s.clock.Now() {`, new: `expiry != 0 && expiry < s.clock.Now() {`,
		why: "a transaction rests on a key in the millisecond in which it expires", tests: []string{"internal/engine/commit", ". Scripts|Expire|NextMillisecond"},
	}, {
		name: "commit-watch-sees-nothing", file: "internal/engine/commit/section.go",
		old: `for _, w := range s.watches {`, new: `for _, w := range s.watches[:0] {`,
		why: "what enters while many reads are validated is no conflict", tests: []string{"internal/engine/commit", "internal/engine/txn ManyReads"},
	}, {
		name: "commit-watch-skips-large-changes", file: "internal/engine/commit/watch.go",
		old: `for i := range e.bulk {`, new: `for i := range e.bulk[:0] {`,
		why: "… if it is large", tests: []string{"internal/engine/commit", "internal/engine/txn ManyReads"},
	}, {
		name: "commit-visible-too-far", file: "internal/engine/commit/section.go",
		old: `s.visible.Store(uint64(s.lastSeq))`, new: `s.visible.Store(uint64(s.lastSeq + 1))`,
		why: "a snapshot sees the first write of the next commit, and not the others", tests: []string{"internal/engine/commit", ". Scripts", ". SumIsConstant"},
	}, {
		name: "commit-into-a-dropped-keyspace", file: "internal/engine/commit/section.go",
		old: `if err := c.refusal(); err != nil {`, new: `if err := c.refusal(); false {`,
		why: "rows of a dropped keyspace stay for ever", tests: []string{"internal/engine/commit", ". Keyspace|Scripts"},
	}, {
		name: "commit-no-room-for-deletes", file: "internal/engine/commit/section.go",
		old: `!s.log.Room(size+deleteReserve) && !(c.frees() && s.log.Room(size)):`, new: `!s.log.Room(size):`,
		why: "puts take the log space that is kept for deletes on a full disk", tests: []string{"internal/engine/commit", ". FullDisk|NoSpace|DiskFilled"},
	}, {
		name: "commit-limit-refuses-deletes", file: "internal/engine/commit/space.go",
		old: `if used+n <= limit || c.frees() {`, new: `if used+n <= limit {`,
		why: "a store at its limit takes no delete, so no space comes back", tests: []string{"internal/engine/commit", ". DiskLimit|Scripts"},
	}, {
		name: "commit-deadline-spent-waiting", file: "internal/engine/commit/deadline.go",
		old: `o.Expiry = ExpiryAt(o.Expiry, now-c.From)`, new: `o.Expiry = ExpiryAt(o.Expiry, 0)`,
		why: "a short time to live is over when the put returns", tests: []string{"internal/engine/commit", ". TimeToLive"},
	}, {
		name: "commit-lock-kept-through-sync", file: "internal/engine/commit/section.go",
		old: "\tc.published()\n", new: "",
		why: "callers of one key wait for each other's syncs", tests: []string{"internal/engine/commit", ". ShareASync|TurnEnds"},
	}, {
		name: "commit-memtable-not-counted", file: "internal/engine/commit/rotate.go",
		old: "\ts.states.Tables.Cache().Reserve(mem.Reserved)\n", new: "",
		why: "memory of full memtables is beside the budget", tests: []string{"internal/engine/commit", ". Budget|Memory|Metrics"},
	}, {
		name: "commit-memtable-stays-counted", file: "internal/engine/commit/recycle.go",
		old: "\tr.blocks.Release(m.Reserved)\n", new: "",
		why: "each flush takes room from the cache, until there is none", tests: []string{"internal/engine/commit", ". Budget|Memory|Metrics|Memtable"},
	}, {
		name: "commit-flush-error-forgotten", file: "internal/engine/commit/flush_queue.go",
		old: `s.flushes.err = err`, new: `s.flushes.err = nil`,
		why: "Flush waits for ever while flushes fail", tests: []string{"internal/engine/commit", ". FlushReturns"},
	}, {
		name: "commit-gap-not-noted", file: "internal/engine/commit/section.go",
		old: `if s.states.Gaps.Noting() {`, new: `if false {`,
		why: "a walk passes over keys that were put where nothing was", tests: []string{"internal/engine/commit", ". PutIntoAGap"},
	}, {
		name: "turn-not-ended", file: "update.go",
		old: `defer turn.End()`, new: `_ = turn`,
		why: "an Update that panics in its turn holds all writers back", tests: []string{". Turn"},
	}, {
		name: "turn-never-comes", file: "update.go",
		old: `if attempt > turnAfter {`, new: `if false {`,
		why: "an Update beside fast writers never ends", tests: []string{". BlindWriters|Turn"},
	}, {
		name: "turn-after-turn", file: "internal/engine/commit/turn.go",
		old: `c.Urgent || c.waited >= mostTurns || `, new: `c.Urgent || `,
		why: "a write waits for one turn after the other without end", tests: []string{"internal/engine/commit"},
	}, {
		name: "turn-waits-for-itself", file: "internal/engine/commit/turn.go",
		old: `t != nil && t.goroutine == me {`, new: `false && t.goroutine == me {`,
		why: "an Update inside a turn hangs", tests: []string{"internal/engine/commit", ". Nested|Gated"},
	}, {
		name: "turn-time-goes-on", file: "internal/engine/commit/turn.go",
		old: `thaw: s.clock.Freeze()`, new: `thaw: func() {}`,
		why: "an attempt in its turn loses to keys that expire", tests: []string{"internal/engine/commit", ". ExpireAllTheTime"},
	}, {
		name: "txn-absent-key-not-noted", file: "internal/engine/txn/read.go",
		old: "\t\tt.reads.AddPoint(hash, row)\n\t\tif f.OK {\n", new: "\t\tif f.OK {\n\t\t\tt.reads.AddPoint(hash, row)\n",
		why: "two transactions both create what neither found", tests: []string{"internal/engine/txn", ". Scripts"},
	}, {
		name: "txn-open-walk-not-noted", file: "internal/engine/txn/txn.go",
		old: `it.Note() // what open walks have passed was read`, new: `_ = it`,
		why: "what a loop read whose body commits is not validated", tests: []string{"internal/engine/txn"},
	}, {
		name: "txn-reads-not-durable", file: "internal/engine/txn/txn.go",
		old: `return t.engine.section.Wait(t.pos, level)`, new: `return nil`,
		why: "a transaction that wrote nothing tells what a power cut takes back", tests: []string{"internal/engine/txn", ". Scripts|PowerCut"},
	}, {
		name: "txn-call-reads-not-durable", file: "internal/engine/txn/engine.go",
		old: `err = e.section.Wait(e.section.Log().Appended(), e.level)`, new: `err = nil`,
		why: "a call that found nothing to do tells what a power cut takes back", tests: []string{"internal/engine/txn", ". Scripts"},
	}, {
		name: "txn-own-range-inclusive", file: "internal/engine/txn/read.go",
		old: `bytes.Compare(row, o.Value) < 0 {`, new: `bytes.Compare(row, o.Value) <= 0 {`,
		why: "a transaction does not see the key at the end of its own range delete", tests: []string{"internal/engine/txn", ". Scripts", ". StoreAnswers"},
	}, {
		name: "txn-own-gap-not-noted", file: "internal/engine/txn/read.go",
		old: "\t\tt.own.gaps.note(t.change, int(t.view.OwnSeq-rows.OwnBase))\n", new: "",
		why: "a walk in a transaction passes over keys that it put where nothing was", tests: []string{"internal/engine/txn", ". PutIntoAGap"},
	}, {
		name: "txn-dead-not-told", file: "internal/engine/txn/txn.go",
		old: "\tt.engine.set.Nominations.Add(t.dead)\n", new: "",
		why: "elements of a deleted collection stay until a merge comes by", tests: []string{"internal/engine/txn", ". Dead|Reaper|EndOfACollection"},
	}, {
		name: "txn-memory-not-counted", file: "internal/engine/txn/write.go",
		old: `budget.Reserve(d)`, new: `_ = budget`,
		why: "memory of large transactions is beside the budget", tests: []string{"internal/engine/txn", ". ATransactionHolds|Budget|Metrics"},
	},
}
