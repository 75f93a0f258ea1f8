package main

// tableMutants are faults of table files: checksums, filters, bounds, versions, blocks
// that are lent.
var tableMutants = []mutant{
	{
		name: "table-block-sum", file: "sstable/format.go",
		old: `binary.LittleEndian.Uint64(b[len(payload):]); got != want {`, new: `binary.LittleEndian.Uint64(b[len(payload):]); false && got != want {`,
		why: "a damaged block is read", tests: []string{"sstable"},
	}, {
		name: "table-page-sum", file: "sstable/pages.go",
		old: `if sum := xxhash.Sum64(stored); sum != g.sum {`, new: `if sum := xxhash.Sum64(stored); false && sum != g.sum {`,
		why: "a damaged page of values is read", tests: []string{"sstable"},
	}, {
		name: "table-footer-sum", file: "sstable/format.go",
		old: `f.id, offset, sectionFooter); got != want {`, new: `f.id, offset, sectionFooter); false && got != want {`,
		why: "a damaged footer is believed", tests: []string{"sstable"},
	}, {
		name: "table-block-of-any-place", file: "sstable/format.go",
		old: `return xxhash.Sum64(payload) ^ placeHash(id, offset, s)`, new: `return xxhash.Sum64(payload) ^ placeHash(id, 0, s)`,
		why: "a block that the disk has put in another's place is read", tests: []string{"sstable"},
	}, {
		name: "table-filter-asks-more", file: "sstable/filter.go",
		old: `bloom.From(uint64s(words), uint(filterProbes(int(bits))))`, new: `bloom.From(uint64s(words), uint(filterProbes(int(bits))+1))`,
		why: "keys that are there are not found", tests: []string{"sstable"},
	}, {
		name: "table-cache-key-shared", file: "sstable/reader.go",
		old: `r.number = r.o.Cache.NewTable()`, new: `r.number = min(r.o.Cache.NewTable(), 1)`,
		why: "a row of one table is shown for another's", tests: []string{"sstable", "internal/engine/readstate ReadsAreNeither"},
	}, {
		name: "table-memory-stays-counted", file: "sstable/reader.go",
		old: "\tr.o.Cache.Release(r.memory)\n", new: "",
		why: "each table that was ever open takes room from the cache", tests: []string{"sstable", ". Memory|Budget"},
	}, {
		name: "table-row-newer-than-the-read", file: "sstable/loan.go",
		old: `if !ok || base.SeqNum(w.Seq) > seq {`, new: `if !ok {`,
		why: "a snapshot sees what was written after it", tests: []string{"sstable", "internal/engine/readstate ReadsAreNeither", ". StoreAnswers"},
	}, {
		name: "table-old-row-kept", file: "sstable/reader.go",
		old: "\t\t\tnewest = false\n", new: "",
		why: "what a snapshot read is shown to everybody", tests: []string{"sstable"},
	}, {
		name: "table-versions-end-with-the-block", file: "sstable/reader.go",
		old: `if at == b.keys.n && r.index.continues(i) {`, new: `if false {`,
		why: "older versions of a key in the next block are not found", tests: []string{"sstable"},
	}, {
		name: "table-own-sequence", file: "sstable/block.go",
		old: `if b.seq(at) <= seq {`, new: `if b.seq(at) < seq {`,
		why: "a snapshot does not see the record right after which it was made", tests: []string{"sstable"},
	}, {
		name: "table-last-prefix", file: "sstable/keys.go",
		old: `if x != ^uint64(0) {`, new: `if true {`,
		why: "a seek among keys of bytes 0xFF goes to the first of them", tests: []string{"sstable"},
	}, {
		name: "table-record-at-its-end", file: "sstable/writer.go",
		old: `if len(w.largestEnd) > 0 && bytes.Compare(w.largestEnd, last) > 0 {`, new: `if len(w.largestEnd) > 0 && bytes.Compare(w.largestEnd, last) >= 0 {`,
		why: "a record at the end of a range delete is beyond its table's bounds", tests: []string{"sstable"},
	}, {
		name: "table-leased-value-lasts", file: "sstable/iter.go",
		old: `it.entry.Value, it.entry.Lasting = nil, b != &it.own && !it.leased`, new: `it.entry.Value, it.entry.Lasting = nil, b != &it.own`,
		why: "a walk backwards shows bytes of a block that has moved in since", tests: []string{"sstable", "internal/engine/readstate ReadsAreNeither", ". Backward|LongWalks"},
	}, {
		name: "table-lent-not-given-back", file: "sstable/iter_load.go",
		old: "\t\tit.r.o.Cache.Takeback(int64(it.lent))\n", new: "",
		why: "each long walk takes room from the cache for ever", tests: []string{"sstable", ". Memory|Budget"},
	}, {
		name: "table-expires-with-its-last", file: "sstable/properties.go",
		old: `p.MinExpiry, p.MaxExpiry = min(p.MinExpiry, t.Expiry), max(p.MaxExpiry, t.Expiry)`, new: `p.MinExpiry, p.MaxExpiry = min(p.MinExpiry, t.Expiry), t.Expiry`,
		why: "a table is dropped as expired while records in it live", tests: []string{"sstable"},
	}, {
		name: "table-digest-not-compared", file: "sstable/verify.go",
		old: `r.o.Digest != 0 && sum != r.o.Digest {`, new: `r.o.Digest != 0 && false {`,
		why: "Check calls a damaged table whole", tests: []string{"sstable"},
	}, {
		name: "check-ages-not-compared", file: "internal/engine/check/order.go",
		old: `if floored >= 0 && newest >= floor {`, new: `if false {`,
		why: "Check does not see that runs stand in the wrong order", tests: []string{"internal/engine/check", ". Check"},
	}, {
		name: "check-dues-not-compared", file: "internal/engine/check/elements.go",
		old: `case e.dues != 0:`, new: `case false:`,
		why: "Check does not see that an element is purged at another's deadline", tests: []string{"internal/engine/check", ". Check"},
	}, {
		name: "check-timers-not-looked-for", file: "internal/engine/check/elements.go",
		old: `case !f.OK:`, new: `case false:`,
		why: "Check does not see that a collection will never be reaped", tests: []string{"internal/engine/check", ". Check"},
	}, {
		name: "repair-takes-old-logs", file: "internal/engine/repair/read.go",
		old: `if r.state != nil && n < r.state.MinLog {`, new: `if false {`,
		why: "Repair brings back what a flush and a merge had dropped", tests: []string{". Repair"},
	}, {
		name: "repair-takes-merged-tables", file: "internal/engine/repair/read.go",
		old: `if m == nil && r.state != nil {`, new: `if false {`,
		why: "Repair brings back what a merge had dropped", tests: []string{". Repair"},
	}, {
		name: "repair-sequence-of-records", file: "internal/engine/repair/read.go",
		old: "\tr.lastSeq = max(r.lastSeq, e.Seq)\n", new: "",
		why: "in a repaired store new commits are older than what it holds", tests: []string{". Repair"},
	},
}
