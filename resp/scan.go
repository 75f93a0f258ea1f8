package resp

import (
	"container/list"
	"iter"
	"strconv"
	"sync"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands that walk in steps.
var scanCommands = []command{
	{"scan", -2, reads, 0, 0, 0, scan},
	{"hscan", -3, reads, 1, 1, 1, hscan},
	{"sscan", -3, reads, 1, 1, 1, sscan},
	{"zscan", -3, reads, 1, 1, 1, zscan},
}

// place is where a walk goes on.
type place struct {
	keyName      // what is walked; of SCAN the key is empty
	kind    byte // 'k' of SCAN, 'h', 's', 'z'
	after   string
	score   float64
}

// cursors hold the places that cursors stand for. A cursor is a number for the protocol;
// where to go on is a name. The oldest are forgotten: then the walk has to begin again.
type cursors struct {
	mu    sync.Mutex
	last  uint64
	bytes int
	known map[uint64]*list.Element // of cursor
	ages  list.List                // the oldest first
}

type cursor struct {
	number uint64
	place  place
}

// The most that is kept of all walks.
const (
	maxCursors     = 64 << 10
	maxCursorBytes = 16 << 20
)

func (p place) size() int { return 200 + len(p.space) + len(p.key) + len(p.after) }

// put returns a cursor for a place.
func (cs *cursors) put(p place) uint64 {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.known == nil {
		cs.known = map[uint64]*list.Element{}
	}
	cs.last++
	cs.known[cs.last] = cs.ages.PushBack(cursor{cs.last, p})
	cs.bytes += p.size()
	for len(cs.known) > maxCursors || cs.bytes > maxCursorBytes {
		old := cs.ages.Remove(cs.ages.Front()).(cursor)
		delete(cs.known, old.number)
		cs.bytes -= old.place.size()
	}
	return cs.last
}

func (cs *cursors) get(n uint64) (place, bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	e := cs.known[n]
	if e == nil {
		return place{}, false
	}
	return e.Value.(cursor).place, true
}

// walk is a step of SCAN and the like.
type walk struct {
	begin   bool
	place   place
	pattern []byte // nil: everything
	count   int
	kind    string // of SCAN: the type
	names   bool   // of HSCAN: no values
	taken   int
	more    bool
}

// walk parses a cursor and what stands behind it.
func (c *call) walk(at int, kind byte) (w walk, err error) {
	n, err := strconv.ParseUint(string(c.args[at]), 10, 64)
	if err != nil {
		return w, replyError("ERR invalid cursor")
	}
	w = walk{count: 10, begin: n == 0}
	w.place = place{keyName: keyName{space: c.spaceName()}, kind: kind}
	if kind != 'k' {
		w.place.key = c.key(at - 1)
	}
	for i := at + 1; i < len(c.args); i++ {
		a := c.args[i]
		switch {
		case kind == 'h' && is(a, "NOVALUES"):
			w.names = true
			continue
		case i+1 == len(c.args):
			return w, errSyntax
		}
		i++
		switch {
		case is(a, "MATCH"):
			w.pattern = c.args[i]
		case is(a, "COUNT"):
			n, err := c.int(i)
			if err != nil {
				return w, err
			}
			if n < 1 {
				return w, errSyntax
			}
			w.count = int(min(n, 1<<20))
		case kind == 'k' && is(a, "TYPE"):
			w.kind = c.key(i)
		default:
			return w, errSyntax
		}
	}
	if w.begin {
		return w, nil
	}
	p, ok := c.s.cursors.get(n)
	if !ok || p.keyName != w.place.keyName || p.kind != kind {
		return w, replyError("ERR invalid cursor: it belongs to another walk, or this server has forgotten it; begin again with 0")
	}
	w.place = p
	return w, nil
}

func (w *walk) admits(name []byte) bool { return w.pattern == nil || matches(w.pattern, name) }

// steps replies with the cursor, and with the items that show wrote. show reports how many
// elements of the reply it has written, none for an item that is left out.
func steps[T any](c *call, w *walk, loop iter.Seq2[T, error], show func(T) int, at func(T)) error {
	mark := len(c.out.buf)
	items := reply{proto: c.out.proto}
	n := 0
	for v, err := range loop {
		if err != nil {
			return err
		}
		if w.taken == w.count {
			w.more = true
			break
		}
		w.taken++
		before := len(c.out.buf)
		n += show(v)
		items.buf = append(items.buf, c.out.buf[before:]...)
		c.out.buf = c.out.buf[:before]
		at(v)
		if len(items.buf) > c.s.opts.MaxCommandBytes {
			return errReplyTooLong
		}
	}
	c.out.buf = c.out.buf[:mark]
	c.out.array(2)
	next := uint64(0)
	if w.more {
		next = c.s.cursors.put(w.place)
	}
	c.out.text(strconv.FormatUint(next, 10))
	c.out.array(n)
	c.out.buf = append(c.out.buf, items.buf...)
	return nil
}

func scan(c *call) error {
	w, err := c.walk(1, 'k')
	if err != nil {
		return err
	}
	r := siltstone.Prefix(literalPrefix(w.pattern))
	if !w.begin {
		r = r.After([]byte(w.place.after))
	}
	return steps(c, &w, c.space.ScanKeys(r), func(kv siltstone.KV) int {
		if !w.admits(kv.Key) || w.kind != "" && kv.Type.String() != w.kind {
			return 0
		}
		c.out.bulk(kv.Key)
		return 1
	}, func(kv siltstone.KV) { w.place.after = string(kv.Key) })
}

func hscan(c *call) error {
	w, err := c.walk(2, 'h')
	if err != nil {
		return err
	}
	h := c.space.Hash(c.key(1))
	loop := h.All()
	if !w.begin {
		loop = h.After(w.place.after)
	}
	return steps(c, &w, loop, func(f typed.Field) int {
		switch {
		case !w.admits([]byte(f.Name)):
			return 0
		case w.names:
			c.out.text(f.Name)
			return 1
		}
		c.out.text(f.Name)
		c.out.bulk(f.Value)
		return 2
	}, func(f typed.Field) { w.place.after = f.Name })
}

func sscan(c *call) error {
	w, err := c.walk(2, 's')
	if err != nil {
		return err
	}
	s := c.space.Set(c.key(1))
	loop := s.All()
	if !w.begin {
		loop = s.After(w.place.after)
	}
	return steps(c, &w, loop, func(m string) int {
		if !w.admits([]byte(m)) {
			return 0
		}
		c.out.text(m)
		return 1
	}, func(m string) { w.place.after = m })
}

func zscan(c *call) error {
	w, err := c.walk(2, 'z')
	if err != nil {
		return err
	}
	z := c.space.ZSet(c.key(1))
	loop := z.All()
	if !w.begin {
		loop = z.After(typed.Member{Name: w.place.after, Score: w.place.score})
	}
	return steps(c, &w, loop, func(m typed.Member) int {
		if !w.admits([]byte(m.Name)) {
			return 0
		}
		c.out.text(m.Name)
		var room [32]byte
		c.out.bulk(appendDouble(room[:0], m.Score))
		return 2
	}, func(m typed.Member) { w.place.after, w.place.score = m.Name, m.Score })
}
