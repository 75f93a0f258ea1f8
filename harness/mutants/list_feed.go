package main

// feedMutants are faults of change feeds, of positions in them and of replicas.
var feedMutants = []mutant{
	{
		name: "feed-commit-left-out", file: "internal/engine/feed/commit.go",
		old: `if c.last <= r.show.After || r.show.stopped {`, new: `if c.last <= r.show.After+1 || r.show.stopped {`,
		why: "a reader misses the commit right behind its position", tests: []string{"changes"},
	}, {
		name: "feed-commit-twice", file: "internal/engine/feed/commit.go",
		old: `if c.last <= r.show.After || r.show.stopped {`, new: `if c.last < r.show.After || r.show.stopped {`,
		why: "a reader that goes on gets a commit of a group again", tests: []string{"changes"},
	}, {
		name: "feed-last-not-told", file: "internal/engine/feed/commit.go",
		old: `s.waiting.Last = true`, new: `s.waiting.Last = s.waiting.Last`,
		why: "a follower does not know where a commit ends", tests: []string{"changes"},
	}, {
		name: "feed-range-end-inclusive", file: "internal/engine/feed/commit.go",
		old: `return bytes.Compare(key, s.Lower) >= 0 && (s.Upper == nil || bytes.Compare(key, s.Upper) < 0)`, new: `return bytes.Compare(key, s.Lower) > 0 && (s.Upper == nil || bytes.Compare(key, s.Upper) < 0)`,
		why: "a reader of a range misses changes of its first key", tests: []string{"changes"},
	}, {
		name: "feed-log-ends-early", file: "internal/engine/feed/source.go",
		old: `case r.last != behind(logs, i, end):`, new: `case false:`,
		why: "commits at the damaged end of a log are passed over in silence", tests: []string{"changes"},
	}, {
		name: "feed-front-not-reached", file: "internal/engine/feed/source.go",
		old: `case inUse && r.offset < front.Offset:`, new: `case false:`,
		why: "durable commits that are damaged are passed over in silence", tests: []string{"changes"},
	}, {
		name: "feed-too-old-not-told", file: "internal/engine/feed/source.go",
		old: `if i < 0 && len(logs) > 0 && logs[0].Before <= r.seq {`, new: `if i < 0 && len(logs) > 0 {`,
		why: "a reader that came too late waits for ever, or misses what has gone", tests: []string{"changes"},
	}, {
		name: "feed-purge-at-its-moment", file: "internal/engine/feed/elements.go",
		old: `d.dueAt <= d.clock &&`, new: `d.dueAt < d.clock &&`,
		why: "an element that is purged when it is due is told as removed by somebody", tests: []string{"changes"},
	}, {
		name: "feed-expired-told-as-deleted", file: "internal/engine/feed/decode.go",
		old: `if d.expired[string(o.Key)] {`, new: `if false {`,
		why: "a key that expired is told as deleted by somebody", tests: []string{"changes"},
	}, {
		name: "feed-inline-removal-not-told", file: "internal/engine/feed/elements.go",
		old: `if typ != record.TypeList && find(now, e.name) < 0 {`, new: `if typ != record.TypeList && find(now, e.name) < 0 && len(now) > 1 {`,
		why: "a follower keeps an element that was removed from a small collection", tests: []string{"changes"},
	}, {
		name: "feed-range-of-keys-forgets-too-little", file: "internal/engine/feed/decode.go",
		old: `if row >= string(lo) && row < string(hi) {`, new: `if row > string(lo) && row < string(hi) {`,
		why: "a collection made anew in the commit that deleted its range is told as changed", tests: []string{"changes"},
	}, {
		name: "feed-kept-one-log-less", file: "internal/engine/commitlog/kept.go",
		old: `k.logs[1].Clock < now-k.Age.Milliseconds()`, new: `k.logs[0].Clock < now-k.Age.Milliseconds()`,
		why: "changes go that are younger than KeepChanges says", tests: []string{"internal/engine/commitlog", "changes"},
	}, {
		name: "feed-newest-log-of-the-past", file: "internal/engine/feed/past.go",
		old: `end.HasHeader && n <= end.Number {`, new: `end.HasHeader && n < end.Number {`,
		why: "a reader of a closed or followed store misses its newest log", tests: []string{"changes"},
	}, {
		name: "position-of-a-snapshot", file: "changes.go",
		old: `.at(s.point.Seq)`, new: `.at(s.point.Seq + 1)`,
		why: "who copies a snapshot and goes on behind it misses a commit", tests: []string{"changes"},
	}, {
		name: "position-of-a-transaction", file: "changes.go",
		old: `.at(tx.t.Seq())`, new: `.at(tx.t.Seq() + 1)`,
		why: "who reads a transaction and goes on behind it misses a commit", tests: []string{"changes"},
	}, {
		name: "position-at-the-branch", file: "changes.go",
		old: `if seq <= h.branch {`, new: `if seq < h.branch {`,
		why: "a copy cannot go on with its parent's changes where it was made", tests: []string{"changes"},
	}, {
		name: "replica-commit-twice", file: "replica.go",
		old: `if r.last <= db.section.LastSeq() {`, new: `if r.last < db.section.LastSeq() {`,
		why: "a commit that is shipped again is applied again", tests: []string{"changes"},
	}, {
		name: "replica-ids-again", file: "replica.go",
		old: `db.set.Raise(r.id, r.keyspace)`, new: `db.set.Raise(0, r.keyspace)`,
		why: "a replica that is written to later gives a collection the id, and the elements, of another", tests: []string{"changes"},
	}, {
		name: "replica-keyspace-again", file: "replica.go",
		old: `db.set.Raise(r.id, r.keyspace)`, new: `db.set.Raise(r.id, 0)`,
		why: "a replica that is written to later gives a keyspace the number, and the rows, of another", tests: []string{"changes"},
	}, {
		name: "replica-clock", file: "replica.go",
		old: "\tdb.clock.Advance(c.Time.UnixMilli())\n", new: "",
		why: "a replica shows what has expired at the store that it follows", tests: []string{"changes"},
	}, {
		name: "replica-takes-any-store", file: "replica.go",
		old: `if store, _ := c.Position.Parts(); store != db.set.State().Parent {`, new: `if store, _ := c.Position.Parts(); false && store != db.set.State().Parent {`,
		why: "commits of another store are applied", tests: []string{"changes"},
	},
}
