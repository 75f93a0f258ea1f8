package typed_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sort"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
)

// listStore is an engine for long lists: one endless transaction that counts what
// is asked of it. Its rows lie in sorted chunks; a write replaces a chunk, so that
// a cursor keeps the state it began with.
type listStore struct {
	typedtest.API
	chunks  [][]*typedtest.Row
	lent    bool // a cursor may hold chunks
	writes  int  // rows put and deleted
	steps   int  // of cursors
	scratch collection.Scratch
	nextID  uint64
}

const chunkRows = 256

func newListStore() *listStore {
	s := &listStore{chunks: make([][]*typedtest.Row, 1)}
	s.API = typedtest.Handles(s)
	return s
}

func (s *listStore) Begin(bool, string, int) (collection.Txn, error) { return s, nil }
func (s *listStore) End(_ collection.Txn, err error) (bool, error)   { return false, err }
func (s *listStore) Now() int64                                      { return 1 }
func (s *listStore) Prefix() []byte                                  { return nil }
func (s *listStore) Uint64() uint64                                  { return 0 }
func (s *listStore) Scratch() *collection.Scratch                    { return &s.scratch }
func (s *listStore) NewID() (uint64, error)                          { s.nextID++; return s.nextID, nil }
func (s *listStore) Dead(uint64)                                     {}
func (s *listStore) Removed(uint64)                                  {}
func (s *listStore) Until([]byte, int64)                             {}
func (s *listStore) Err() error                                      { return nil }
func (s *listStore) Writes() bool                                    { return true }
func (s *listStore) Frozen(*collection.Scratch) collection.Txn       { return s }
func (s *listStore) Peek(row []byte) (t base.Trailer, e error)       { _, t, e = s.Get(nil, row); return }
func (s *listStore) at(key []byte) (chunk, row int, found bool)      { return locateRow(s.chunks, key) }

// locateRow returns where the first row at or above the key is.
func locateRow(chunks [][]*typedtest.Row, key []byte) (chunk, row int, found bool) {
	chunk = sort.Search(len(chunks), func(i int) bool {
		c := chunks[i]
		return len(c) > 0 && bytes.Compare(c[len(c)-1].Key, key) >= 0
	})
	if chunk == len(chunks) {
		return chunk - 1, len(chunks[chunk-1]), false
	}
	row, found = slices.BinarySearchFunc(chunks[chunk], key, func(r *typedtest.Row, key []byte) int {
		return bytes.Compare(r.Key, key)
	})
	return chunk, row, found
}

func (s *listStore) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	c, r, found := s.at(row)
	if !found {
		return dst, base.Trailer{}, base.ErrNotFound
	}
	return append(dst, s.chunks[c][r].Value...), s.chunks[c][r].Trailer, nil
}

func (s *listStore) Head(dst, row []byte, n int) ([]byte, base.Trailer, error) {
	v, t, err := s.Get(nil, row)
	return append(dst, v[:min(n, len(v))]...), t, err
}

// replace puts rows in place of one chunk.
func (s *listStore) replace(chunk int, with ...[]*typedtest.Row) {
	if s.lent {
		s.chunks, s.lent = slices.Clone(s.chunks), false
	}
	s.chunks = slices.Replace(s.chunks, chunk, chunk+1, with...)
}

func (s *listStore) Put(row []byte, typ record.Type, _ int64, value []byte) error {
	s.writes++
	c, i, found := s.at(row)
	rows := slices.Clone(s.chunks[c])
	if !found {
		rows = slices.Insert(rows, i, nil)
	}
	rows[i] = &typedtest.Row{Key: bytes.Clone(row), Value: bytes.Clone(value),
		Trailer: base.Trailer{Attr: base.MakeAttr(base.KindPut, uint8(typ), false)}}
	if len(rows) > chunkRows {
		s.replace(c, slices.Clone(rows[:chunkRows/2]), slices.Clone(rows[chunkRows/2:]))
	} else {
		s.replace(c, rows)
	}
	return nil
}

func (s *listStore) Delete(row []byte) error {
	s.writes++
	c, i, found := s.at(row)
	switch {
	case !found:
	case len(s.chunks[c]) == 1 && len(s.chunks) > 1:
		s.replace(c)
	default:
		s.replace(c, slices.Delete(slices.Clone(s.chunks[c]), i, i+1))
	}
	return nil
}

func (s *listStore) DeleteRange(lo, hi []byte) error {
	cur, err := s.Scan(lo, hi, collection.ScanOptions{})
	for cur.Next() {
		if err := s.Delete(cur.Key()); err != nil {
			return err
		}
	}
	return err
}

func (s *listStore) Sample([]byte, []byte, collection.ScanOptions) (collection.Cursor, error) {
	panic("a list is not drawn from")
}

func (s *listStore) Scan(lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	if bytes.Compare(lo, hi) >= 0 {
		return nil, fmt.Errorf("scan from %x to %x", lo, hi)
	}
	s.lent = true
	c := &listCursor{s: s, chunks: s.chunks, lo: bytes.Clone(lo), hi: bytes.Clone(hi), reverse: o.Reverse}
	from := lo
	if c.reverse {
		from = hi
	}
	c.chunk, c.row, _ = locateRow(c.chunks, from)
	if !c.reverse {
		c.row--
	}
	return c, nil
}

// listCursor stands on a row, or beside the first one it will show.
type listCursor struct {
	s          *listStore
	chunks     [][]*typedtest.Row
	lo, hi     []byte
	chunk, row int
	reverse    bool
}

func (c *listCursor) Next() bool {
	c.s.steps++
	if c.reverse {
		for c.row--; c.row < 0; c.row = len(c.chunks[c.chunk]) - 1 {
			if c.chunk--; c.chunk < 0 {
				return false
			}
		}
		return bytes.Compare(c.Key(), c.lo) >= 0
	}
	for c.row++; c.row >= len(c.chunks[c.chunk]); c.row = 0 {
		if c.chunk++; c.chunk == len(c.chunks) {
			return false
		}
	}
	return bytes.Compare(c.Key(), c.hi) < 0
}

func (c *listCursor) Key() []byte           { return c.chunks[c.chunk][c.row].Key }
func (c *listCursor) Value() []byte         { return c.chunks[c.chunk][c.row].Value }
func (c *listCursor) Trailer() base.Trailer { return c.chunks[c.chunk][c.row].Trailer }
func (c *listCursor) Err() error            { return nil }
func (c *listCursor) Head(dst []byte, n int) ([]byte, error) {
	return append(dst, c.Value()[:min(n, len(c.Value()))]...), nil
}
func (c *listCursor) Close() error { return nil }

// check compares the list with what is to be in it, and recounts the rows.
func (s *listStore) check(t testing.TB, name string, want [][]byte) {
	t.Helper()
	i := 0
	for v, err := range s.List(name).Range(0, -1) {
		if err != nil {
			t.Fatal(err)
		}
		if i >= len(want) || !bytes.Equal(v, want[i]) {
			t.Fatalf("item %d is %q", i, v)
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d items, want %d", i, len(want))
	}
	var rows []typedtest.Row
	for _, r := range slices.Concat(s.chunks...) {
		rows = append(rows, *r)
	}
	if err := typedtest.CheckRows(rows, 1, func(uint64) bool { return len(want) == 0 }); err != nil {
		t.Fatal(err)
	}
}

// metaOf returns the metadata of the list.
func metaOf(t testing.TB, get func(dst, row []byte) ([]byte, base.Trailer, error), name string) record.Meta {
	t.Helper()
	value, _, err := get(nil, keyenc.AppendNameRow(nil, nil, name))
	if errors.Is(err, base.ErrNotFound) {
		return record.Meta{}
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := record.DecodeMeta(value)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
