package typedtest

import (
	"maps"
	"math"
	"math/big"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

// Model is what a store is to answer, in plain maps: keys to entries. It says
// what each call means and nothing of how. Not safe for concurrent use.
type Model struct {
	now  func() int64
	keys map[string]*entry
}

// entry is the value of a key; the field of its type is set.
type entry struct {
	typ    typed.Type
	expiry int64
	str    []byte
	hash   map[string][]byte // set members map to nil
	zset   map[string]float64
	list   [][]byte
	due    map[string]int64 // deadlines of elements that have one
}

// NewModel returns an empty model with the given clock.
func NewModel(now func() int64) *Model {
	return &Model{now: now, keys: map[string]*entry{}}
}

// Clone returns a copy that shares nothing that changes.
func (m *Model) Clone() *Model {
	c := NewModel(m.now)
	for k, e := range m.keys {
		c.keys[k] = e.clone()
	}
	return c
}

func (e *entry) clone() *entry {
	c := *e
	c.hash, c.zset = maps.Clone(e.hash), maps.Clone(e.zset)
	c.list, c.due = slices.Clone(e.list), maps.Clone(e.due)
	return &c
}

func (e *entry) empty() bool {
	return e.typ != typed.TypeString && len(e.hash)+len(e.zset)+len(e.list) == 0
}

// get returns the live entry of a key, with the elements that are not due, or nil.
func (m *Model) get(key string) *entry {
	e := m.keys[key]
	if e == nil {
		return nil
	}
	for name, at := range e.due {
		if at <= m.now() {
			e.remove(name)
		}
	}
	if e.expiry != 0 && e.expiry <= m.now() || e.empty() {
		delete(m.keys, key)
		return nil
	}
	return e
}

// has reports whether there is such an element of a hash, set or sorted set.
func (e *entry) has(name string) bool {
	_, in := e.hash[name]
	_, scored := e.zset[name]
	return in || scored
}

// remove removes an element of a hash, set or sorted set.
func (e *entry) remove(name string) {
	delete(e.hash, name)
	delete(e.zset, name)
	delete(e.due, name)
}

// setDue gives an element a deadline; 0 is none, a past one removes it.
func (m *Model) setDue(e *entry, name string, at int64) {
	switch {
	case at == 0:
		delete(e.due, name)
	case at <= m.now():
		e.remove(name)
	default:
		if e.due == nil {
			e.due = map[string]int64{}
		}
		e.due[name] = at
	}
}

// open returns the entry for a call of type typ; an empty one, not yet stored, if
// there is none.
func (m *Model) open(key string, typ typed.Type) (*entry, error) {
	e := m.get(key)
	if e == nil {
		return &entry{typ: typ, hash: map[string][]byte{}, zset: map[string]float64{}}, nil
	}
	if e.typ != typ {
		return nil, base.ErrWrongType
	}
	return e, nil
}

// save stores the entry, or removes the key if nothing is in it.
func (m *Model) save(key string, e *entry) {
	if e.empty() {
		delete(m.keys, key)
	} else {
		m.keys[key] = e
	}
}

// names returns the live keys in order.
func (m *Model) names() (names []string) {
	for _, k := range slices.Sorted(maps.Keys(m.keys)) {
		if m.get(k) != nil {
			names = append(names, k)
		}
	}
	return names
}

// expire is Key.ExpireAt with a deadline in milliseconds, 0 for none.
func (m *Model) expire(key string, at int64) error {
	e := m.get(key)
	if e == nil {
		return base.ErrNotFound
	}
	e.expiry = at
	m.get(key) // a past deadline drops it
	return nil
}

func (m *Model) drop(keys ...string) (n int) {
	for _, k := range keys {
		if m.get(k) != nil {
			delete(m.keys, k)
			n++
		}
	}
	return n
}

func (m *Model) setString(key string, v []byte, o typed.SetOptions) (r typed.SetResult, err error) {
	e := m.get(key)
	r.Existed = e != nil
	if o.Get && e != nil {
		if e.typ != typed.TypeString {
			return typed.SetResult{}, base.ErrWrongType
		}
		r.Old = e.str
	}
	if o.Cond == typed.CondNX && e != nil || o.Cond == typed.CondXX && e == nil {
		return r, nil
	}
	r.Written = true
	n := &entry{typ: typed.TypeString, str: v}
	switch {
	case o.KeepTTL && e != nil:
		n.expiry = e.expiry
	case o.TTL != 0:
		n.expiry = m.now() + o.TTL.Milliseconds()
	case !o.At.IsZero():
		n.expiry = o.At.UnixMilli()
	}
	m.keys[key] = n
	return r, nil
}

// incr adds to a number kept as text.
func incr(old []byte, exists bool, by int64) ([]byte, int64, error) {
	sum := new(big.Int)
	if exists {
		v, err := strconv.ParseInt(string(old), 10, 64)
		if err != nil || strconv.FormatInt(v, 10) != string(old) {
			return nil, 0, base.ErrNotNumber
		}
		sum.SetInt64(v)
	}
	sum.Add(sum, big.NewInt(by))
	if !sum.IsInt64() {
		return nil, 0, base.ErrOverflow
	}
	return []byte(sum.String()), sum.Int64(), nil
}

// exact reports whether a sum with the number in old, if it is one, fits the 64
// bits of mantissa and 17 digits that a store has for fractions.
func exact(old []byte) bool {
	f, err := strconv.ParseFloat(string(old), 64)
	return len(old) <= 16 && (err != nil || math.Abs(f) < 1e14)
}

// incrFloat adds to a fraction kept as text. It works in decimal digits, which is
// exact for the numbers History uses.
func incrFloat(old []byte, exists bool, by float64) ([]byte, float64, error) {
	sum, _ := new(big.Rat).SetString(strconv.FormatFloat(by, 'f', -1, 64))
	if exists {
		f, err := strconv.ParseFloat(string(old), 64)
		x, ok := new(big.Rat).SetString(string(old))
		if err != nil || !ok || math.IsInf(f, 0) {
			return nil, 0, base.ErrNotNumber
		}
		sum.Add(sum, x)
	}
	places := 17
	for f, _ := sum.Float64(); math.Abs(f) >= 1 && places > 0; f /= 10 {
		places--
	}
	text := sum.FloatString(places)
	if places > 0 {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		text = "0"
	}
	f, _ := strconv.ParseFloat(text, 64)
	return []byte(text), f, nil
}

// part returns the elements from start to stop as Redis counts them.
func part[T any](all []T, start, stop int64) []T {
	n := int64(len(all))
	if start < 0 {
		start += n
	}
	if stop < 0 {
		stop += n
	}
	start, stop = max(start, 0), min(stop, n-1)
	if start > stop {
		return nil
	}
	return all[start : stop+1]
}

// members returns a sorted set in the order of its scores.
func (e *entry) members() (all []typed.Member) {
	for name, score := range e.zset {
		all = append(all, typed.Member{Name: name, Score: score})
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Score != all[j].Score {
			return all[i].Score < all[j].Score
		}
		return all[i].Name < all[j].Name
	})
	return all
}

// combine is the algebra of sets: op is 'u', 'i' or 'd'.
func (m *Model) combine(op byte, keys []string) ([]string, error) {
	var sets []map[string][]byte
	for _, k := range keys {
		e, err := m.open(k, typed.TypeSet)
		if err != nil {
			return nil, err
		}
		sets = append(sets, e.hash)
	}
	result := maps.Clone(sets[0])
	for _, s := range sets[1:] {
		for _, member := range slices.Collect(maps.Keys(result)) {
			if _, in := s[member]; op == 'i' && !in || op == 'd' && in {
				delete(result, member)
			}
		}
		if op == 'u' {
			maps.Copy(result, s)
		}
	}
	return slices.Sorted(maps.Keys(result)), nil
}
