package memtable

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/huandu/skiplist"

	"github.com/siltstonedb/siltstone/internal/base"
)

const benchKeys = 500_000

// benchTable is what the two contestants are driven through.
type benchTable interface {
	add(key []byte, seq base.SeqNum, value []byte)
	get(key []byte) bool
	scan() int
}

type ours struct {
	*Table
	it Iter
}

func (o *ours) add(key []byte, seq base.SeqNum, value []byte) {
	o.Add(xxhash.Sum64(key), key, base.Trailer{Seq: seq, Attr: base.MakeAttr(base.KindPut, 0, false)}, value)
}

func (o *ours) get(key []byte) bool {
	_, _, ok := o.Get(xxhash.Sum64(key), key, base.SeqMax)
	return ok
}

func (o *ours) scan() (n int) {
	o.it.Init(o.Table, false)
	for e := o.it.First(); e != nil; e = o.it.Next() {
		n++
	}
	return n
}

// plain is huandu/skiplist with one element per record, used as well as it can
// be: a comparison of our own, scores, low towers.
type plain struct {
	list  *skiplist.SkipList
	probe plainEntry
	coin  coin
}

type plainEntry struct {
	key, value []byte
	seq        base.SeqNum
}

type plainOrder struct{}

func (plainOrder) Compare(a, b any) int {
	x, y := a.(*plainEntry), b.(*plainEntry)
	return base.CompareInternal(x.key, x.seq, y.key, y.seq)
}

func (plainOrder) CalcScore(k any) float64 { return ordered(base.Prefix8(k.(*plainEntry).key, 0)) }

func newPlain() *plain {
	p := &plain{list: skiplist.New(plainOrder{}), coin: 1}
	p.list.SetMaxLevel(20)
	p.list.SetRandSource(&p.coin)
	return p
}

func (p *plain) add(key []byte, seq base.SeqNum, value []byte) {
	both := make([]byte, len(key)+len(value))
	copy(both[copy(both, key):], value)
	e := &plainEntry{both[:len(key):len(key)], both[len(key):], seq}
	p.list.Set(e, nil)
}

func (p *plain) get(key []byte) bool {
	p.probe.key, p.probe.seq = key, base.SeqMax
	e := p.list.Find(&p.probe)
	return e != nil && bytes.Equal(e.Key().(*plainEntry).key, key)
}

func (p *plain) scan() (n int) {
	for e := p.list.Front(); e != nil; e = e.Next() {
		if len(e.Key().(*plainEntry).key) > 0 {
			n++
		}
	}
	return n
}

// keySet is many keys of one length in one allocation, so that neither the
// collector nor the caches see more of the benchmark than they must.
type keySet struct {
	flat []byte
	size int
}

func (s *keySet) add(prefix string, u uint64) {
	var b [8]byte
	for j := range b {
		b[j] = byte(u >> (56 - 8*j))
	}
	s.flat = hex.AppendEncode(append(s.flat, prefix...), b[:])
	s.size = len(prefix) + 16
}

func (s *keySet) key(i int) []byte { return s.flat[i*s.size : (i+1)*s.size : (i+1)*s.size] }

// benchSets returns random keys, others that are not among them, and rising
// keys, each of 16 bytes behind the prefix.
func benchSets(prefix string) (random, absent, rising keySet) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range benchKeys {
		random.add(prefix, r.Uint64())
		absent.add(prefix, r.Uint64())
		rising.add(prefix, uint64(i))
	}
	return random, absent, rising
}

// BenchmarkMemtable drives 500 000 keys with 100-byte values through this
// package and through huandu/skiplist with one element per record. The figure to
// read is ns/key.
func BenchmarkMemtable(b *testing.B) {
	makers := []struct {
		name string
		make func() benchTable
	}{
		{"ours", func() benchTable { return &ours{Table: New(256 << 20)} }},
		{"plain", func() benchTable { return newPlain() }},
	}
	value := bytes.Repeat([]byte("v"), 100)
	for _, prefix := range []string{"", "user:hash:field:"} {
		random, absent, rising := benchSets(prefix)
		fill := func(t benchTable, keys *keySet) benchTable {
			for i := range benchKeys {
				t.add(keys.key(i), base.SeqNum(i+1), value)
			}
			return t
		}
		filled := map[string]benchTable{}
		seq := base.SeqNum(benchKeys)
		for _, op := range []struct {
			name string
			run  func(make func() benchTable, t benchTable) (ok bool)
		}{
			{"InsertRandom", func(make func() benchTable, t benchTable) bool { return fill(make(), &random) != nil }},
			{"InsertRising", func(make func() benchTable, t benchTable) bool { return fill(make(), &rising) != nil }},
			{"FindHit", func(make func() benchTable, t benchTable) bool {
				ok := true
				for i := range benchKeys {
					ok = t.get(random.key(i*7919%benchKeys)) && ok
				}
				return ok
			}},
			{"FindMiss", func(make func() benchTable, t benchTable) bool {
				ok := true
				for i := range benchKeys {
					ok = !t.get(absent.key(i)) && ok
				}
				return ok
			}},
			{"Next", func(make func() benchTable, t benchTable) bool { return t.scan() == benchKeys }},
			{"Overwrite", func(make func() benchTable, t benchTable) bool {
				for i := range benchKeys {
					seq++
					t.add(random.key(i*7919%benchKeys), seq, value)
				}
				return true
			}},
		} {
			for _, m := range makers {
				b.Run(fmt.Sprintf("%s/prefix=%d/%s", op.name, len(prefix), m.name), func(b *testing.B) {
					if filled[m.name] == nil {
						filled[m.name] = fill(m.make(), &random)
					}
					b.ReportAllocs()
					for b.Loop() {
						if !op.run(m.make, filled[m.name]) {
							b.Fatal("wrong answer")
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchKeys, "ns/key")
				})
			}
		}
	}
}

// BenchmarkBatches adds random keys in batches of 100, with and without warming.
// The figure to read is ns/key.
