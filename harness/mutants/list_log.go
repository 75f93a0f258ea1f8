package main

// logMutants are faults of logs: their frames, the group that is written and synced, and
// what recovery concludes from them.
var logMutants = []mutant{
	{
		name: "wal-payload-sum", file: "wal/frame_reader.go",
		old: `if xxhash.Sum64(payload) != h.payloadSum {`, new: `if false && xxhash.Sum64(payload) != h.payloadSum {`,
		why: "a torn or damaged commit is replayed", tests: []string{"wal"},
	}, {
		name: "wal-foreign-frame", file: "wal/frame_reader.go",
		old: `case h.id != r.id:`, new: `case false:`,
		why: "what another log left in the same place of the disk is replayed", tests: []string{"wal"},
	}, {
		name: "wal-sequence-falls", file: "wal/frame_reader.go",
		old: `if f.First <= r.lastSeq || f.Count == 0`, new: `if f.Count == 0`,
		why: "a frame is replayed twice, or out of order", tests: []string{"wal"},
	}, {
		name: "wal-damage-is-the-end", file: "wal/frame_reader.go",
		old: `case found.proof != nil:`, new: `case false:`,
		why: "damage of synced commits is taken for a torn tail, and what follows is lost in silence", tests: []string{"wal"},
	}, {
		name: "wal-proof-of-nothing", file: "wal/window.go",
		old: `if ok && h.synced > from {`, new: `if ok && h.synced >= from {`,
		why: "a power cut leaves a store that is called corrupt", tests: []string{"wal"},
	}, {
		name: "wal-frame-claims-too-much", file: "wal/frame_writer.go",
		old: `clock: f.Clock, synced: w.synced, count`, new: `clock: f.Clock, synced: w.offset, count`,
		why: "frames say that what is not synced was durable: a power cut is called corruption", tests: []string{"wal"},
	}, {
		name: "wal-sync-again", file: "wal/frame_writer.go",
		old: `return w.fail(fmt.Errorf("wal: sync: %w", err))`, new: `return fmt.Errorf("wal: sync: %w", err)`,
		why: "a failed sync is tried again, and its success is believed", tests: []string{"wal"},
	}, {
		name: "wal-append-again", file: "wal/frame_writer.go",
		old: `return w.fail(fmt.Errorf("wal: append: %w", err))`, new: `return fmt.Errorf("wal: append: %w", err)`,
		why: "frames are written behind half a frame", tests: []string{"wal"},
	}, {
		name: "wal-header-not-synced", file: "wal/writer.go",
		old: "w.frames.offset = HeaderSize\n\tif err := w.frames.Sync(); err != nil {", new: "w.frames.offset = HeaderSize\n\tif err := w.frames.err; err != nil {",
		why: "a log with synced frames may have no header after a power cut", tests: []string{"wal"},
	}, {
		name: "wal-older-log-torn", file: "wal/chain.go",
		old: `case !prev.Complete || p.End != prev.End:`, new: `case false:`,
		why: "the end of a log is lost, and later commits are there", tests: []string{"wal"},
	}, {
		name: "wal-predecessor-missing", file: "wal/chain.go",
		old: `if p.Number >= minLog && p.Number != 0 {`, new: `if false {`,
		why: "a log that is gone is not missed", tests: []string{"wal"},
	}, {
		name: "wal-other-store", file: "wal/chain.go",
		old: `case l.Header.DBID != dbID:`, new: `case false:`,
		why: "the log of another store is replayed", tests: []string{"wal"},
	}, {
		name: "wal-successor-missing", file: "wal/chain.go",
		old: `if prev != nil && prev.Complete && `, new: `if false && `,
		why: "the newest log is gone, and the store opens to an earlier state", tests: []string{"wal"},
	}, {
		name: "wal-header-sum", file: "wal/header.go",
		old: ` || le.Uint64(b[headerSumAt:]) != xxhash.Sum64(b[:headerSumAt]) {`, new: ` {`,
		why: "a damaged header of a log is believed", tests: []string{"wal"},
	}, {
		name: "log-commit-not-synced", file: "internal/engine/commitlog/log.go",
		old: `return s.w.Sync()`, new: `return nil`,
		why: "a commit is acknowledged before it is durable", tests: []string{"internal/engine/commitlog", ". PowerCut"},
	}, {
		name: "log-follower-told-nil", file: "internal/engine/commitlog/wait.go",
		old: `w.err = err`, new: `_ = err`,
		why: "those who waited for a failed write are told that it went well", tests: []string{"internal/engine/commitlog", ". ConcurrentWriters"},
	}, {
		name: "log-acks-its-successor", file: "internal/engine/commitlog/log.go",
		old: `g.end -= Position(later.pending.size)`, new: `_ = later`,
		why: "commits in the next log are acknowledged with the end of this one", tests: []string{"internal/engine/commitlog", ". ConcurrentWriters"},
	}, {
		name: "log-file-not-synced", file: "internal/engine/commitlog/prepared.go",
		old: "err = f.Sync()", new: "err = nil",
		why: "a log that was taken may have no length after a power cut: the start calls it damage", tests: []string{"internal/engine/commitlog", ". PowerCut"},
	}, {
		name: "log-name-not-synced", file: "internal/engine/commitlog/prepared.go",
		old: "err = p.dir.Sync()", new: "err = nil",
		why: "a log with synced commits may have no name after a power cut", tests: []string{"internal/engine/commitlog", ". PowerCut"},
	}, {
		name: "log-removed-in-use", file: "internal/engine/commitlog/prepared.go",
		old: `p.used[0] < below`, new: `p.used[0] <= below`,
		why: "the log that takes commits is removed", tests: []string{"internal/engine/commitlog", ". PowerCut"},
	}, {
		name: "log-no-room-for-its-end", file: "internal/engine/commitlog/log.go",
		old: `l.room = s.Reserved - s.end - wal.FrameSize(0)`, new: `l.room = s.Reserved - s.end`,
		why: "a full disk fails the trailer of a log, which poisons the store", tests: []string{"internal/engine/commitlog", ". FullDisk|NoSpace"},
	}, {
		name: "log-frame-without-clock", file: "internal/engine/commitlog/log.go",
		old: `g.frame.Clock = max(g.frame.Clock, clock)`, new: `g.frame.Clock = max(g.frame.Clock, 0)`,
		why: "time goes back over a crash, and expired keys come back", tests: []string{"internal/engine/commitlog", ". Scripts", ". Typed"},
	}, {
		name: "log-failed-sync-forgotten", file: "internal/engine/commitlog/behind.go",
		old: `err = l.fail(err)`, new: `_ = l.fail`,
		why: "a failed sync behind the commits is tried again, and its success is believed", tests: []string{"internal/engine/commitlog"},
	}, {
		name: "log-synced-is-appended", file: "internal/engine/commitlog/behind.go",
		old: `l.segs[0], l.written, l.err`, new: `l.segs[0], l.appended, l.err`,
		why: "commits that only lie in memory count as synced", tests: []string{"internal/engine/commitlog"},
	}, {
		name: "log-frame-claims-pending", file: "internal/engine/commitlog/behind.go",
		old: `end := s.written`, new: `end := s.end`,
		why: "frames say that what was written during a sync was durable", tests: []string{"internal/engine/commitlog"},
	}, {
		name: "log-buffered-without-bound", file: "internal/engine/commitlog/wait.go",
		old: `case l.crowded == nil || left >= leadLimit:`, new: `case l.crowded == nil:`,
		why: "a killed process loses more of the buffered commits than was promised", tests: []string{"internal/engine/commitlog"},
	}, {
		name: "recovery-first-log-only", file: "internal/engine/recovery/replay.go",
		old: "for i := range r.logs {\n\t\tif err := r.loadLog(", new: "for i := range r.logs[:1] {\n\t\tif err := r.loadLog(",
		why: "commits in later logs are lost", tests: []string{"internal/engine/recovery", ". PowerCut"},
	}, {
		name: "recovery-sequence-of-the-header", file: "internal/engine/recovery/replay.go",
		old: `r.LastSeq = max(r.LastSeq, f.Last())`, new: `r.LastSeq = max(r.LastSeq, 0)`,
		why: "after a long log new commits are older than what was replayed", tests: []string{"internal/engine/recovery", ". Sequences"},
	}, {
		name: "recovery-clock-of-frames", file: "internal/engine/recovery/replay.go",
		old: `r.Clock.Advance(f.Clock)`, new: `r.Clock.Advance(0)`,
		why: "time goes back over a crash, and expired keys come back", tests: []string{"internal/engine/recovery", ". Scripts"},
	}, {
		name: "recovery-count-not-compared", file: "internal/engine/recovery/loader.go",
		old: `if len(dst) != int(f.Count) {`, new: `if false {`,
		why: "part of a commit group is replayed", tests: []string{"internal/engine/recovery"},
	}, {
		name: "recovery-tables-left", file: "internal/engine/recovery/tables.go",
		old: `o.Discard(&compaction.Result{Tables: edit.Added})`, new: `o.Discard(&compaction.Result{})`,
		why: "a start on a full disk leaves tables there, and is tried again with less room", tests: []string{". NoSpace"},
	}, {
		name: "recovery-nothing-is-older", file: "internal/engine/recovery/tables.go",
		old: "\tjob.Older.AddTables(edit.Added)\n", new: "",
		why: "a delete in one memtable of a start is dropped above what it deleted in another", tests: []string{"internal/engine/recovery", ". Recovery"},
	}, {
		name: "recovery-no-gap", file: "open.go",
		old: `edit.LastSeq = r.LastSeq.AfterGap()`, new: `edit.LastSeq = r.LastSeq`,
		why: "the sequences of a lost tail come a second time", tests: []string{". Sequences|Gap"},
	}, {
		name: "recovery-number-never-reserved", file: "open.go",
		old: `if n >= s.FileLimit {`, new: `if false {`,
		why: "an older manifest is believed, and newer tables are removed", tests: []string{". NeverReserved"},
	}, {
		name: "recovery-log-never-reserved", file: "internal/engine/recovery/replay.go",
		old: `if n >= r.State.FileLimit {`, new: `if false {`,
		why: "an older manifest is believed beside newer logs", tests: []string{"internal/engine/recovery"},
	}, {
		name: "recovery-log-not-missed", file: "open.go",
		old: `if s.MinLog != 0 && !s.Clean && !slices.Contains(files.Logs, s.MinLog) {`, new: `if false {`,
		why: "the newest log is gone, and the store opens to an earlier state", tests: []string{". ANewestLog"},
	}, {
		name: "recovery-orphans-stay", file: "open.go",
		old: `if !live[n] {`, new: `if false {`,
		why: "tables of merges that a crash cut short stay for ever", tests: []string{". PowerCut"},
	}, {
		name: "recovery-logs-as-listed", file: "internal/storedir/dir.go",
		old: "\tslices.Sort(l.Logs)\n", new: "",
		why: "logs are replayed in the order in which the file system lists them", tests: []string{"internal/storedir", ". PowerCut"},
	},
}
