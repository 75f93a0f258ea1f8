package typedtest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// bucket is an entry of a page of the counted order of a sorted set.
type bucket struct {
	boundary string
	members  uint64
}

// addPage notes a page; rest is its key behind the tag.
func (t *tally) addPage(rest, value []byte) error {
	if len(rest) == 0 || rest[0] == 0 {
		return fmt.Errorf("bucket row %q has no level", rest)
	}
	text := func() (s string, ok bool) {
		size, n := binary.Uvarint(value)
		if n <= 0 || size > uint64(len(value)-n) {
			return "", false
		}
		s, value = string(value[n:n+int(size)]), value[n+int(size):]
		return s, true
	}
	start, ok := text()
	var entries []bucket
	for ok && len(value) > 0 {
		b := bucket{}
		if b.boundary, ok = text(); ok {
			n := 0
			if b.members, n = binary.Uvarint(value); n <= 0 {
				ok = false
				break
			}
			value = value[n:]
		}
		if b.boundary = start + b.boundary; len(entries) == 0 {
			ok = ok && len(b.boundary) == len(start)
			b.boundary = string(rest[1:])
		}
		entries = append(entries, b)
	}
	if !ok || len(entries) == 0 {
		return fmt.Errorf("bucket row %q is malformed", rest)
	}
	if t.pages == nil {
		t.pages = map[uint8][][]bucket{}
	}
	t.pages[rest[0]] = append(t.pages[rest[0]], entries)
	return nil
}

// counted compares the pages of the counted order with the order and with each
// other: an entry counts exactly what lies between its boundary and the next.
func (t *tally) counted() error {
	body := t.meta.Body
	if len(body) == 0 {
		if len(t.pages) > 0 {
			return fmt.Errorf("%q has buckets and says it has none", t.row)
		}
		return nil
	}
	if len(body) != 2 || body[0] != 1 || int(body[1]) != len(t.pages) {
		return fmt.Errorf("%q says %x and has %d levels", t.row, body, len(t.pages))
	}
	want := t.countBuckets()
	for level := uint8(1); level <= body[1]; level++ {
		pages := t.pages[level]
		slices.SortFunc(pages, func(a, b []bucket) int { return compare(a[0].boundary, b[0].boundary) })
		if got := slices.Concat(pages...); !slices.Equal(got, want) {
			return fmt.Errorf("level %d of %q holds %v, want %v", level, t.row, got, want)
		}
		want = want[:0:0]
		for _, page := range pages {
			sum := bucket{boundary: page[0].boundary}
			for _, b := range page {
				sum.members += b.members
			}
			want = append(want, sum)
		}
	}
	if len(want) != 1 || want[0] != (bucket{"", t.meta.Count}) {
		return fmt.Errorf("%q has roots %v and %d members", t.row, want, t.meta.Count)
	}
	return nil
}

// countBuckets counts the order between the boundaries there are.
func (t *tally) countBuckets() (buckets []bucket) {
	for _, page := range t.pages[1] {
		for _, b := range page {
			buckets = append(buckets, bucket{boundary: b.boundary})
		}
	}
	slices.SortFunc(buckets, func(a, b bucket) int { return compare(a.boundary, b.boundary) })
	i := -1
	for _, place := range slices.Sorted(maps.Keys(t.places)) {
		for i+1 < len(buckets) && buckets[i+1].boundary <= place {
			i++
		}
		if i >= 0 {
			buckets[i].members++
		}
	}
	return buckets
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
