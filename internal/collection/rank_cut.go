package collection

// Boundaries are as long as what neighbours in the order share, up to the longest
// names. So that a page stays small, which is written for every member that comes or
// goes, it has what its boundaries share once. Where they share little and are long all
// the same, as with a few names in groups of their own, it is cut by bytes.
//
//	"/a/long/path/1"                    start "/a/long/path/"
//	"/a/long/path/2"   ─► one page ─►   rest  "" "2" "3"          "1" is in its row key
//	"/a/long/path/3"
//
// A page of at least leastCut entries is cut where more than Shape.Bytes are not shared,
// into parts of two or more, so that each level of the tree has half the pages of the
// one below at most. Those of fewer have three boundaries of any length.
const leastCut = 4

// shared returns what the boundaries of a page share, the first one left out.
func shared(e []rankEntry) string {
	if len(e) < 3 {
		return ""
	}
	first, last := e[1].boundary, e[len(e)-1].boundary // those between share as much
	return first[:sharedBytes(first, last)]
}

func sharedBytes(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// ownBytes returns how many bytes of boundaries a page has beside what they share.
func ownBytes(e []rankEntry) (n int) {
	start := len(shared(e))
	for _, e := range e[1:] {
		n += len(e.boundary) - start
	}
	return n
}

// crowded reports whether a page has too much in it.
func crowded(e []rankEntry) bool {
	return len(e) > Shape.Fan || len(e) >= leastCut && ownBytes(e) > Shape.Bytes
}

// roomy reports whether a page has room left.
func roomy(e []rankEntry) bool {
	return len(e) <= Shape.Fan*3/4 && (len(e) < leastCut || ownBytes(e) <= Shape.Bytes*3/4)
}

// cutPage returns the parts of a page, each for a page of its own: one part if it is not
// crowded.
func cutPage(e []rankEntry) [][]rankEntry {
	if !crowded(e) {
		return [][]rankEntry{e}
	}
	at := cutAt(e)
	return append(cutPage(e[:at:at]), cutPage(e[at:])...)
}

// cutAt returns where a crowded page is cut: in the middle or, if it has too many bytes,
// between the neighbours that share least.
func cutAt(e []rankEntry) int {
	at := len(e) / 2
	if ownBytes(e) <= Shape.Bytes {
		return at
	}
	least := sharedBytes(e[at-1].boundary, e[at].boundary)
	for i := 2; i <= len(e)-2; i++ {
		if n := sharedBytes(e[i-1].boundary, e[i].boundary); n < least {
			at, least = i, n
		}
	}
	return at
}
