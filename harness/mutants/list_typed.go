package main

// typedMutants are faults of collections, deadlines, keyspaces and the clock.
var typedMutants = []mutant{
	{
		name: "record-expired-a-moment-late", file: "internal/base/key.go",
		old: `return t.Expiry != 0 && t.Expiry <= now`, new: `return t.Expiry != 0 && t.Expiry < now`,
		why: "a key is there in the millisecond in which it expires, for some", tests: []string{"internal/base", "compaction", ". Scripts"},
	}, {
		name: "element-due-a-moment-late", file: "internal/collection/element.go",
		old: `if deadline <= t.Now() {`, new: `if deadline < t.Now() {`,
		why: "an element is there in the millisecond in which it is due, for some", tests: []string{"internal/collection", "typed"},
	}, {
		name: "element-shown-a-moment-late", file: "internal/collection/due.go",
		old: `return deadline != 0 && deadline <= t.Now(), err`, new: `return deadline != 0 && deadline < t.Now(), err`,
		why: "… by walks", tests: []string{"internal/collection", "typed"},
	}, {
		name: "element-due-later-than-told", file: "internal/collection/element.go",
		old: `if c.meta.NextDue == 0 || deadline < c.meta.NextDue {`, new: `if c.meta.NextDue == 0 {`,
		why: "an element with an earlier deadline than the others is shown when it is due", tests: []string{"internal/collection", "typed"},
	}, {
		name: "element-deadline-not-rested-on", file: "internal/collection/due.go",
		old: "\t\tt.Until(row, c.meta.NextDue)\n", new: "",
		why: "two transactions commit that no order explains, over an element that became due", tests: []string{"internal/collection", "typed", ". Deadline|Due"},
	}, {
		name: "element-due-row-left", file: "internal/collection/element.go",
		old: `err != nil || deadline == 0 {`, new: `err != nil || deadline >= 0 {`,
		why: "a removed element is counted off again when it would have been due", tests: []string{"internal/collection", "typed"},
	}, {
		name: "feed-removal-told-as-purge", file: "internal/engine/feed/elements.go",
		old: `d.due = nil`, new: `_ = due`,
		why: "a field that lost its deadline and was removed in one transaction is told as purged", tests: []string{"changes NotToldAsPurged"},
	}, {
		name: "zset-old-score-left", file: "internal/collection/member.go",
		old: `if err := c.deleteRow(t, c.ranked(t, old.Score, member)); err != nil {`, new: `if err := error(nil); err != nil {`,
		why: "a member stands in the order of scores twice", tests: []string{"internal/collection", "typed"},
	}, {
		name: "zset-deadline-not-in-the-order", file: "internal/collection/member.go",
		old: `return c.putRow(t, c.ranked(t, score, member), record.TypeVolatile, sc.Out)`, new: `return c.putRow(t, c.ranked(t, score, member), record.TypeNone, nil)`,
		why: "a member that is due is shown by walks in the order of scores", tests: []string{"internal/collection", "typed"},
	}, {
		name: "zset-rank-not-counted", file: "internal/collection/member.go",
		old: `return c.recount(t, c.place(t, v.Score, member), -1)`, new: `return c.recount(t, c.place(t, v.Score, member), 0)`,
		why: "ranks of a large sorted set are wrong after a member was removed", tests: []string{"internal/collection", "typed"},
	}, {
		name: "collection-dead-not-told", file: "internal/collection/collection.go",
		old: "\tif id != 0 {\n\t\tt.Dead(id)\n", new: "\tif id == 1 {\n\t\tt.Dead(id)\n",
		why: "elements of an emptied collection stay until a merge comes by", tests: []string{"internal/collection", "typed", ". Reaper|Dead"},
	}, {
		name: "collection-timer-left-out", file: "internal/collection/timer.go",
		old: `if at == 0 || at == from.key || at == from.due {`, new: `if at == 0 || at != to.key || at == from.key || at == from.due {`,
		why: "due elements of an idle collection are never purged", tests: []string{"internal/collection", "typed", ". Idle|Timer"},
	}, {
		name: "collection-overwritten-not-given-up", file: "internal/collection/key.go",
		old: "\t\tt.Dead(id)\n", new: "",
		why: "elements of an overwritten collection stay until a merge comes by", tests: []string{"internal/collection", "typed", ". Reaper|Dead"},
	}, {
		name: "inline-one-element-less", file: "internal/collection/inline.go",
		old: `return n <= uint64(record.Inline.Elements)`, new: `return n < uint64(record.Inline.Elements)`,
		why: "a collection of the size that is promised to lie in its metadata has rows of its own", tests: []string{"internal/collection", "typed"},
	}, {
		name: "inline-cursor-overwritten", file: "internal/collection/inline.go",
		old: `if b.lent {`, new: `if false {`,
		why: "a loop over a small collection that writes to it sees torn entries", tests: []string{"internal/collection", "typed"},
	}, {
		name: "list-pop-not-counted", file: "internal/collection/list_end.go",
		old: "c.list.cut(index, end)\n\tc.Shrank(1)\n", new: "c.list.cut(index, end)\n",
		why: "a list counts items that were popped", tests: []string{"internal/collection", "typed"},
	}, {
		name: "list-window-too-dense", file: "internal/collection/list_place.go",
		old: `return 1 << (bits * 2 / 3)`, new: `return 1 << (bits * 9 / 10)`,
		why: "inserts at one place of a list write many rows each", tests: []string{"internal/collection", "typed"},
	}, {
		name: "typed-equal-is-greater", file: "typed/deadline.go",
		old: `return later(at) > later(had)`, new: `return later(at) >= later(had)`,
		why: "an equal deadline counts as a greater one", tests: []string{"typed"},
	}, {
		name: "typed-ttl-rounds-down", file: "typed/expiry.go",
		old: "if ttl > 0 && ttl%time.Millisecond != 0 {\n\t\tms++", new: "if ttl > 0 && ttl%time.Millisecond != 0 {\n\t\tms += 0",
		why: "a time to live below a millisecond is none", tests: []string{"typed"},
	}, {
		name: "typed-removed-element-kept", file: "typed/element.go",
		old: "\t\t\tc.Shrank(1)\n\t\t\tn++", new: "\t\t\tn++",
		why: "a hash or set counts what was removed", tests: []string{"typed"},
	}, {
		name: "keyspace-read-at-its-drop", file: "internal/keyspace/space.go",
		old: `at != 0 && at <= uint64(seq) {`, new: `at != 0 && at < uint64(seq) {`,
		why: "a dropped keyspace is read by who comes right after", tests: []string{"internal/keyspace"},
	}, {
		name: "keyspace-number-again", file: "manifest/set.go",
		old: `*b = block[uint32]{first, first + keyspaceBlock}`, new: `*b = block[uint32]{1, 1 + keyspaceBlock}`,
		why: "a new keyspace holds what is left of a dropped one", tests: []string{"manifest", ". NumbersAreNever|Keyspace"},
	}, {
		name: "clock-goes-back", file: "internal/clock/clock.go",
		old: `if t < max(c.last, 1) {`, new: `if t < 1 {`,
		why: "expired keys come back when the wall clock is set back", tests: []string{"internal/clock"},
	}, {
		name: "clock-runs-in-a-turn", file: "internal/clock/clock.go",
		old: `if c.frozen > 0 {`, new: `if c.frozen > 1 {`,
		why: "an attempt in its turn loses to keys that expire", tests: []string{"internal/clock", "internal/engine/commit"},
	}, {
		name: "reaper-expired-row-left", file: "internal/engine/reaper/reaper.go",
		old: `if v.expired {`, new: `if false {`,
		why: "the metadata of an expired collection outlives its elements", tests: []string{". Reaper|Dead|Typed"},
	}, {
		name: "reaper-kills-the-living", file: "internal/engine/reaper/reaper.go",
		old: `if err != nil || v.row == nil || v.alive {`, new: `if err != nil || v.row == nil {`,
		why: "a collection that a merge suspected loses its elements", tests: []string{". Suspects"},
	},
}
