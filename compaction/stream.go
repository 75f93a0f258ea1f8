package compaction

import "bytes"

// stream passes on up to n records of the stretch the inputs stand in, without
// deciding over each: nobody else has a key in it, no record of it has another
// version, expires or is a tombstone, and no range tombstone reaches into it. The
// last record of the block is left to take, for its key may go on behind.
func (m *merge) stream(n int) error {
	r, ok := m.in.Block()
	if !ok || !r.Plain {
		return nil
	}
	if m.frag < len(m.ranges) && (m.cover != nil || bytes.Compare(m.ranges[m.frag].Start, r.Last) <= 0) {
		return nil
	}
	zero := r.MaxSeq > 0 && r.MaxSeq <= m.h.oldest && !m.job.Older.Overlaps(Span{Lo: r.First, Hi: r.Last})
	for n = min(n, r.After) - 1; n > 0 && m.spent < yieldEvery; n-- {
		e := m.in.Next()
		if e == nil {
			break // the source's error, which run meets next
		}
		m.read(e)
		m.stats.Out++
		if zero && e.Seq != 0 {
			m.stats.Zeroed++
			m.entry = *e
			m.entry.Seq = 0
			e = &m.entry
		}
		m.out.newKey()
		if err := m.out.add(e); err != nil {
			return err
		}
	}
	return nil
}
