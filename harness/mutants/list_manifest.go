package main

// manifestMutants are faults of the manifest and of the directory, and of the space that
// is kept for a full disk.
var manifestMutants = []mutant{
	{
		name: "manifest-edit-not-synced", file: "manifest/log.go",
		old: `return l.frames.Sync()`, new: `return nil`,
		why: "inputs are removed before the edit that replaces them is durable", tests: []string{"manifest"},
	}, {
		name: "manifest-name-not-synced", file: "manifest/log.go",
		old: `if err = fsys.SyncDir(dir); err == nil {`, new: `if err == nil {`,
		why: "CURRENT names a manifest that a power cut takes away", tests: []string{"manifest"},
	}, {
		name: "manifest-current-not-synced", file: "manifest/current.go",
		old: `err = f.Sync()`, new: `err = nil`,
		why: "CURRENT is empty after a power cut", tests: []string{"manifest"},
	}, {
		name: "manifest-rename-not-synced", file: "manifest/current.go",
		old: `return fsys.SyncDir(dir)`, new: `return nil`,
		why: "CURRENT names the manifest that was removed", tests: []string{"manifest"},
	}, {
		name: "manifest-failed-edit-goes-on", file: "manifest/set.go",
		old: "m.log.Append(e); err != nil {\n\t\treturn m.life.Poison(err)", new: "m.log.Append(e); err != nil {\n\t\treturn err",
		why: "the store goes on, and removes files, though nobody knows what the manifest says", tests: []string{"manifest"},
	}, {
		name: "manifest-numbers-again", file: "manifest/set.go",
		old: `m.next = max(m.state.FileLimit, 1)`, new: `m.next = max(max(m.state.FileLimit, fileBlock)-fileBlock, 1)`,
		why: "a file number is given out twice", tests: []string{"manifest"},
	}, {
		name: "manifest-snapshot-without-ids", file: "manifest/state.go",
		old: `FileLimit: s.FileLimit, IDLimit: s.IDLimit, KeyspaceLimit`, new: `FileLimit: s.FileLimit, KeyspaceLimit`,
		why: "a collection gets the id, and the elements, of another", tests: []string{"manifest"},
	}, {
		name: "manifest-snapshot-without-sequence", file: "manifest/state.go",
		old: `LastSeq: s.LastSeq, Clock`, new: `Clock`,
		why: "new commits are older than what is in tables", tests: []string{"manifest"},
	}, {
		name: "manifest-damaged-is-new", file: "manifest/load.go",
		old: `case i.Edits == 0:`, new: `case false:`,
		why: "a damaged manifest is an empty store, whose tables are removed", tests: []string{"manifest"},
	}, {
		name: "manifest-nomination-forgotten", file: "manifest/set.go",
		old: "\tm.Nominations.Add(e.Nominated)\n", new: "",
		why: "the elements of a dead collection stay until the next start", tests: []string{"manifest", ". Reaper|Dead|Nominat"},
	}, {
		name: "manifest-deciding-is-settled", file: "manifest/nominations.go",
		old: `open := slices.Concat(nominated, n.pending, n.deciding)`, new: `open := slices.Concat(nominated, n.pending)`,
		why: "a nomination is forgotten while it is being decided", tests: []string{"manifest"},
	}, {
		name: "manifest-table-end-inclusive", file: "manifest/table.go",
		old: `return c < 0 || c == 0 && t.LargestExclusive`, new: `return c < 0`,
		why: "neighbours at the end of a range delete count as overlapping", tests: []string{"manifest", "compaction"},
	}, {
		name: "dir-parent-not-synced", file: "internal/storedir/dir.go",
		old: `err = parent.Sync()`, new: `err = nil`,
		why: "a power cut takes the whole new store away", tests: []string{"internal/storedir", ". PowerCut"},
	}, {
		name: "dir-copy-not-compared", file: "internal/storedir/partial.go",
		old: `if err == nil && sum != digest {`, new: `if false {`,
		why: "a checkpoint without links copies a damaged table", tests: []string{"internal/storedir", ". Checkpoint|Links"},
	}, {
		name: "dir-copy-not-synced", file: "internal/storedir/partial.go",
		old: `err = f.Sync()`, new: `err = nil`,
		why: "a power cut leaves a copy whose tables are empty", tests: []string{"internal/storedir", ". Checkpoint"},
	}, {
		name: "dir-copy-not-published", file: "internal/storedir/partial.go",
		old: `return p.FS.SyncDir(path.Dir(p.Path))`, new: `return nil`,
		why: "a checkpoint that was acknowledged is gone after a power cut", tests: []string{"internal/storedir", ". Checkpoint"},
	}, {
		name: "ballast-not-given", file: "internal/storedir/ballast.go",
		old: `if errors.Is(err, base.ErrNoSpace) && s.Give() {`, new: `if errors.Is(err, base.ErrNoSpace) && false {`,
		why: "a full store can neither be flushed nor opened", tests: []string{"internal/storedir", ". FullDisk|NoSpace|ADiskWithout"},
	}, {
		name: "ballast-taken-back", file: "internal/storedir/ballast.go",
		old: `if s.using > 0 {`, new: `if false {`,
		why: "the space that was given to a flush is taken away from it", tests: []string{"internal/storedir", ". FullDisk|NoSpace"},
	}, {
		name: "ballast-not-given-to-deletes", file: "internal/engine/commit/section.go",
		old: `s.cfg.Ballast.Give() {`, new: `false {`,
		why: "a full store does not take the delete that would bring space back", tests: []string{"internal/engine/commit", ". FullDisk|NoSpace|ADiskWithout"},
	},
}
