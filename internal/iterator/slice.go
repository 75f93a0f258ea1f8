package iterator

import "github.com/siltstonedb/siltstone/internal/base"

// Slice walks entries held in memory, in internal order. It is the contract in
// its plainest form. Entries and what they point to stay the caller's. A Slice
// is not safe for concurrent use.
type Slice struct {
	entries []Entry
	at      int
	// BlockLen groups so many entries to a block for Block; 0: no blocks.
	BlockLen int
}

// NewSlice returns an iterator over entries, which are in internal order.
func NewSlice(entries []Entry) *Slice { return &Slice{entries: entries, at: -1} }

// First implements Iterator.
func (s *Slice) First() *Entry { return s.stand(0) }

// Last implements Iterator.
func (s *Slice) Last() *Entry { return s.stand(len(s.entries) - 1) }

// SeekGE implements Iterator.
func (s *Slice) SeekGE(key []byte, seq base.SeqNum) *Entry { return s.stand(s.search(key, seq)) }

// SeekLT implements Iterator.
func (s *Slice) SeekLT(key []byte) *Entry { return s.stand(s.search(key, base.SeqMax) - 1) }

// Next implements Iterator.
func (s *Slice) Next() *Entry { return s.stand(s.at + 1) }

// Prev implements Iterator.
func (s *Slice) Prev() *Entry { return s.stand(s.at - 1) }

// Err implements Iterator.
func (s *Slice) Err() error { return nil }

// Close implements Iterator.
func (s *Slice) Close() error { return nil }

func (s *Slice) stand(i int) *Entry {
	s.at = i
	if i < 0 || i >= len(s.entries) {
		return nil
	}
	return &s.entries[i]
}

// search returns the index of the first entry at or behind (key, seq).
func (s *Slice) search(key []byte, seq base.SeqNum) int {
	lo, hi := 0, len(s.entries)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if e := &s.entries[m]; base.CompareInternal(e.Key, e.Seq, key, seq) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// Block implements Iterator.
func (s *Slice) Block() (Block, bool) {
	if s.BlockLen <= 0 {
		return Block{}, false
	}
	lo := s.at / s.BlockLen * s.BlockLen
	block := s.entries[lo:min(lo+s.BlockLen, len(s.entries))]
	r := Block{
		First: block[0].Key, Last: block[len(block)-1].Key, Plain: true,
		Before: s.at - lo, After: lo + len(block) - 1 - s.at,
	}
	for i := range block {
		e := &block[i]
		r.MaxSeq = max(r.MaxSeq, e.Seq)
		if e.Attr.Kind() != base.KindPut || e.Expiry != 0 || i > 0 && string(block[i-1].Key) == string(e.Key) {
			r.Plain = false
		}
	}
	return r, true
}
