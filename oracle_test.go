package siltstone

import (
	"encoding/binary"
	"fmt"
	"maps"
	"sort"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/typed"
)

// oracle knows the state after every commit, as a set hash: the sum of a hash
// of each key and element. A change costs the hash of the key it changes; a
// recovered store, scanned once, is recognised as the state after one commit or
// as none. It shares no code with the engine. It belongs to one goroutine, but
// for what the hooks of a file system read while that one stands still.
type oracle struct {
	keys     map[string]*modelKey
	volatile map[string]*modelKey // those of keys with a deadline
	sum      setHash
	clock    func() int64 // what deadlines count from
	shown    func() int64 // the largest reading anybody has seen

	history []modelState // history[j] is the state after commit j; 0 is the empty store
	undo    []undoStep   // of the commit being made
	acked   [BufferedDurability + 1]int
}

// modelKey is what one key holds. It is replaced whole, never changed.
type modelKey struct {
	typ      typed.Type
	deadline int64             // ms, 0: none
	elems    map[string]string // of a string: its value under ""
	hash     setHash
}

// modelState is what is remembered of the state after a commit.
type modelState struct {
	sum      setHash     // expired keys included
	volatile []*modelKey // keys with a deadline
	clock    int64       // largest reading the store had shown when it began
	undo     []undoStep  // what takes the commit back
}

type undoStep struct {
	key string
	old *modelKey
}

// setHash is a hash of a set: two independent lanes, added up.
type setHash [2]uint64

func (s setHash) add(o setHash) setHash { return setHash{s[0] + o[0], s[1] + o[1]} }
func (s setHash) sub(o setHash) setHash { return setHash{s[0] - o[0], s[1] - o[1]} }

func newOracle(clock, shown func() int64) *oracle {
	return &oracle{
		keys: map[string]*modelKey{}, volatile: map[string]*modelKey{}, clock: clock, shown: shown,
		history: []modelState{{}},
	}
}

// hashParts hashes strings so that no two lists of them look alike.
func hashParts(parts ...string) setHash {
	var b []byte
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return setHash{xxhash.Sum64(b), xxhash.Sum64(append(b, "second lane"...))}
}

// hashKey is the contribution of a whole key.
func hashKey(key string, typ typed.Type, deadline int64, elems map[string]string) setHash {
	h := hashParts("key", key, typ.String(), fmt.Sprint(deadline))
	for name, value := range elems {
		h = h.add(hashParts("element", key, name, value))
	}
	return h
}

// begin starts the next commit, applies the change to the model and returns the
// commit's number. It happens before the store is asked, so that a power cut
// in between finds the commit among those that may be there.
func (m *oracle) begin(change func(m *oracle)) int {
	m.undo = nil
	change(m)
	s := modelState{sum: m.sum, clock: m.shown(), undo: m.undo}
	if last := m.history[len(m.history)-1]; s.sum == last.sum {
		s.clock = last.clock // nothing changed, so nothing was written that could carry a reading
	}
	for _, k := range m.volatile {
		s.volatile = append(s.volatile, k)
	}
	m.history = append(m.history, s)
	return m.issued()
}

// cancel takes the last commit back: it definitely did not happen.
func (m *oracle) cancel() { m.rewind(m.issued() - 1) }

// rewind takes every commit after j back.
func (m *oracle) rewind(j int) {
	for m.issued() > j {
		undo := m.history[m.issued()].undo
		m.history = m.history[:m.issued()]
		for i := len(undo) - 1; i >= 0; i-- {
			m.set(undo[i].key, undo[i].old)
		}
	}
}

func (m *oracle) issued() int { return len(m.history) - 1 }

// ack notes that commit j has returned at level d, which holds for all before
// it too.
func (m *oracle) ack(j int, d Durability) {
	for level := d; level <= BufferedDurability; level++ {
		m.acked[level] = max(m.acked[level], j)
	}
}

// set replaces what key holds; nil is nothing.
func (m *oracle) set(key string, k *modelKey) {
	old := m.keys[key]
	m.undo = append(m.undo, undoStep{key, old})
	if old != nil {
		m.sum = m.sum.sub(old.hash)
	}
	delete(m.keys, key)
	delete(m.volatile, key)
	if k == nil {
		return
	}
	k.hash = hashKey(key, k.typ, k.deadline, k.elems)
	m.sum = m.sum.add(k.hash)
	m.keys[key] = k
	if k.deadline != 0 {
		m.volatile[key] = k
	}
}

// live returns what key holds at the current time, or nil.
func (m *oracle) live(key string) *modelKey {
	k := m.keys[key]
	if k != nil && k.deadline != 0 && k.deadline <= m.clock() {
		return nil
	}
	return k
}

func (m *oracle) put(key, value string) { m.putTTL(key, value, 0) }

func (m *oracle) putTTL(key, value string, ttl time.Duration) {
	k := &modelKey{typ: typed.TypeString, elems: map[string]string{"": value}}
	if ttl != 0 {
		k.deadline = m.clock() + ttl.Milliseconds()
	}
	m.set(key, k)
}

func (m *oracle) delete(key string) { m.set(key, nil) }

func (m *oracle) deleteRange(lo, hi string) {
	for key := range maps.Clone(m.keys) {
		if key >= lo && (hi == "" || key < hi) {
			m.set(key, nil)
		}
	}
}

// expire gives a live key a deadline, or takes it with ttl 0.
func (m *oracle) expire(key string, ttl time.Duration) {
	k := *m.live(key)
	k.deadline = 0
	if ttl != 0 {
		k.deadline = m.clock() + ttl.Milliseconds()
	}
	m.set(key, &k)
}

// element sets an element of a collection, making it if need be.
func (m *oracle) element(key string, typ typed.Type, name, value string) {
	k := modelKey{typ: typ}
	if old := m.live(key); old != nil {
		k = *old
	}
	k.elems = maps.Clone(k.elems)
	if k.elems == nil {
		k.elems = map[string]string{}
	}
	k.elems[name] = value
	m.set(key, &k)
}

// remove removes an element; a collection without one is gone.
func (m *oracle) remove(key, name string) {
	old := m.live(key)
	if old == nil {
		return
	}
	k := *old
	k.elems = maps.Clone(k.elems)
	if delete(k.elems, name); len(k.elems) == 0 {
		m.set(key, nil)
		return
	}
	m.set(key, &k)
}

// list replaces the items of a list.
func (m *oracle) list(key string, items []string) {
	if len(items) == 0 {
		m.set(key, nil)
		return
	}
	k := modelKey{typ: typed.TypeList, elems: map[string]string{}}
	if old := m.live(key); old != nil {
		k.deadline = old.deadline
	}
	for i, v := range items {
		k.elems[listName(i)] = v
	}
	m.set(key, &k)
}

func listName(i int) string { return fmt.Sprintf("%08d", i) }

// items returns the items of a list in order.
func (m *oracle) items(key string) []string {
	k := m.live(key)
	if k == nil {
		return nil
	}
	var items []string
	for i := range len(k.elems) {
		items = append(items, k.elems[listName(i)])
	}
	return items
}

// at returns the hash of what is visible of the state at a clock reading.
func (s *modelState) at(now int64) setHash {
	sum := s.sum
	for _, k := range s.volatile {
		if k.deadline <= now {
			sum = sum.sub(k.hash)
		}
	}
	return sum
}

// find returns the latest commit from lo to hi whose state, at a clock reading,
// has the hash. The store's clock may not have gone back since the commit.
func (m *oracle) find(sum setHash, now int64, lo, hi int) (j int, ok bool) {
	for j = hi; j >= lo; j-- {
		if m.history[j].clock <= now && m.history[j].at(now) == sum {
			return j, true
		}
	}
	return 0, false
}

// stored is what a scan of a store found.
type stored struct {
	sum   setHash
	now   int64 // the clock it was read at
	lines []string
}

func (s *stored) String() string { sort.Strings(s.lines); return strings.Join(s.lines, "\n") }

// inKeyspace is the oracle's name of a key in a named keyspace. The empty key
// says that there is the keyspace.
func inKeyspace(name, key string) string { return "\xff" + name + "\x00" + key }

// readAll reads all that db holds, forward, and every key once more on its own.
func readAll(db *DB) (stored, error) {
	s := stored{now: db.clock.Now()}
	if err := s.read(db, nil, db); err != nil {
		return s, err
	}
	names, err := db.Keyspaces()
	if err != nil {
		return s, err
	}
	for _, name := range names {
		ks, err := db.CreateKeyspace(name)
		if err != nil {
			return s, err
		}
		s.sum = s.sum.add(hashKey(inKeyspace(name, ""), typed.TypeNone, 0, nil))
		s.lines = append(s.lines, fmt.Sprintf("keyspace %q", name))
		if err := s.read(db, ks, ks); err != nil {
			return s, fmt.Errorf("keyspace %q: %w", name, err)
		}
	}
	return s, nil
}

// read reads all of one keyspace; from is its reader.
func (s *stored) read(db *DB, ks *Keyspace, from readTyped) error {
	back := setHash{}
	for kv, err := range from.Scan(Range{}) {
		if err != nil {
			return err
		}
		key := string(kv.Key)
		back = back.add(hashParts(key))
		elems, err := readKey(from, kv)
		if err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		tr, err := db.stat(spaceOf(ks), kv.Key)
		if err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		named := key
		if ks != nil {
			named = inKeyspace(ks.Name(), key)
		}
		s.sum = s.sum.add(hashKey(named, kv.Type, tr.Expiry, elems))
		s.lines = append(s.lines, fmt.Sprintf("%q %v deadline %d: %q", named, kv.Type, tr.Expiry, elems))
	}
	for kv, err := range from.ScanBack(Range{}) {
		if err != nil {
			return err
		}
		back = back.sub(hashParts(string(kv.Key)))
	}
	if back != (setHash{}) {
		return fmt.Errorf("a scan backward shows other keys than one forward:\n%v", s)
	}
	return nil
}

// readTyped is what a store and a keyspace have in common to be read by.
type readTyped interface {
	Reader
	Typed
}

// readKey reads what one key of a scan holds, and compares a string with what
// asking for it alone gives.
func readKey(db readTyped, kv KV) (map[string]string, error) {
	name, elems := string(kv.Key), map[string]string{}
	switch kv.Type {
	case typed.TypeString:
		elems[""] = string(kv.Value)
		v, err := db.Get(kv.Key)
		if err != nil {
			return nil, err
		}
		if string(v) != elems[""] {
			return nil, fmt.Errorf("scanned %q, got %q", elems[""], v)
		}
	case typed.TypeHash:
		for f, err := range db.Hash(name).All() {
			if err != nil {
				return nil, err
			}
			elems[f.Name] = string(f.Value)
		}
	case typed.TypeSet:
		for m, err := range db.Set(name).All() {
			if err != nil {
				return nil, err
			}
			elems[m] = ""
		}
	case typed.TypeZSet:
		for m, err := range db.ZSet(name).Range(typed.ByRank(0, -1)) {
			if err != nil {
				return nil, err
			}
			elems[m.Name] = fmt.Sprint(m.Score)
		}
	case typed.TypeList:
		i := 0
		for v, err := range db.List(name).Range(0, -1) {
			if err != nil {
				return nil, err
			}
			elems[listName(i)] = string(v)
			i++
		}
	}
	return elems, nil
}

// spaceOf is the keyspace behind a handle; nil is the default one.
func spaceOf(ks *Keyspace) *keyspace.Space {
	if ks == nil {
		return nil
	}
	return ks.space
}
