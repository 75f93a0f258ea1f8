package model

// View is a Map at one clock reading: what a snapshot, an iterator or a
// transaction sees. It is a value. At reading 0 nothing has expired.
type View struct {
	Map
	Now int64
}

// State is what all keyspaces hold; the first is the default one.
type State [mostSpaces]Map

// mostSpaces is how many keyspaces a run has at most.
const mostSpaces = 3

// Views is a State at one clock reading.
type Views struct {
	State
	Now int64
}

// in returns the view of one keyspace.
func (v Views) in(space int) View { return View{v.State[space], v.Now} }

// Get returns the live row of key.
func (v View) Get(key string) (Row, bool) {
	n := v.ceil(key)
	if n == nil || n.key != key || v.expired(n) {
		return Row{}, false
	}
	return n.row, true
}

func (v View) expired(n *node) bool { return n.row.Expiry != 0 && n.row.Expiry <= v.Now }

// from returns the first live node of b at or behind key.
func (v View) from(b Bounds, key string) *node {
	key = max(key, b.Lower)
	for {
		n := v.ceil(key)
		if n == nil || !b.has(n.key) {
			return nil
		}
		if !v.expired(n) {
			return n
		}
		key = n.key + "\x00"
	}
}

// before returns the last live node of b before key; with open, of all of b.
func (v View) before(b Bounds, key string, open bool) *node {
	if open || b.Bounded && key > b.Upper {
		key, open = b.Upper, !b.Bounded
	}
	for {
		n := v.floor(key, !open)
		if n == nil || !b.has(n.key) {
			return nil
		}
		if !v.expired(n) {
			return n
		}
		key, open = n.key, false
	}
}

// all yields the live nodes of b in order, or in reverse.
func (v View) all(b Bounds, back bool) func(yield func(*node) bool) {
	return func(yield func(*node) bool) {
		if back {
			for n := v.before(b, "", true); n != nil && yield(n); n = v.before(b, n.key, false) {
			}
			return
		}
		for n := v.from(b, b.Lower); n != nil && yield(n); n = v.from(b, n.key+"\x00") {
		}
	}
}
