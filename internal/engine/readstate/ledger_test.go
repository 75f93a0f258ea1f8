package readstate_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

var bg = context.Background()

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// ledger is a store of more than its memory holds, whose values tell their key and
// version in every byte, and what of it has been acknowledged.
type ledger struct {
	t      *testing.T
	db     *siltstone.DB
	faults *vfstest.Faults
	acked  []atomic.Uint32 // by key, its version
	failed atomic.Int64    // reads that said so
}

const ledgerKeys = 10_000

func ledgerKey(k int) []byte { return fmt.Appendf(nil, "key-%06d", k) }

func ledgerValue(k int, version uint32) []byte {
	b := make([]byte, 300+k%1500)
	binary.LittleEndian.PutUint32(b, uint32(k))
	binary.LittleEndian.PutUint32(b[4:], version)
	x := uint32(k)*2654435761 + version
	for i := 8; i < len(b); i++ {
		b[i] = byte(x >> (8 * (i % 4)))
		if i%64 == 0 {
			x = x*1664525 + 1013904223
		}
	}
	return b
}

func newLedger(t *testing.T) *ledger {
	l := &ledger{t: t, faults: vfstest.NewFaults(vfs.NewMem()), acked: make([]atomic.Uint32, ledgerKeys)}
	db, err := siltstone.Open("db", &siltstone.Options{
		FS: l.faults, MemoryLimit: 8 << 20, MemtableBytes: 256 << 10, Durability: siltstone.BufferedDurability, MaxOpenFiles: 16,
	})
	ok(t, err)
	l.db = db
	for k := range ledgerKeys {
		ok(t, db.Put(ledgerKey(k), ledgerValue(k, 1)))
		l.acked[k].Store(1)
	}
	ok(t, db.Compact(bg, siltstone.Range{}))
	return l
}

// some returns a key: a third of them at random, the others out of few.
func (l *ledger) some(rng *rand.Rand) int {
	if rng.IntN(3) == 0 {
		return rng.IntN(ledgerKeys)
	}
	return rng.IntN(200) * 97 % ledgerKeys
}

// version checks a value of key k and returns its version.
func (l *ledger) version(k int, b []byte) uint32 {
	if len(b) < 8 {
		l.t.Errorf("key %d: a value of %d bytes", k, len(b))
		return 0
	}
	version := binary.LittleEndian.Uint32(b[4:])
	if string(ledgerValue(k, version)) != string(b) {
		l.t.Errorf("key %d: the value of version %d is damaged", k, version)
	}
	return version
}

// refused notes an error, which must be of the injected faults' making.
func (l *ledger) refused(what string, err error) bool {
	if err == nil {
		return false
	}
	l.failed.Add(1)
	if !errors.Is(err, vfstest.ErrInjected) && !errors.Is(err, siltstone.ErrCorruption) {
		l.t.Errorf("%s: %v", what, err)
	}
	return true
}

// overwrite writes a new version of some key. Only one goroutine does.
func (l *ledger) overwrite(rng *rand.Rand) {
	k := l.some(rng)
	version := l.acked[k].Load() + 1
	if err := l.db.Put(ledgerKey(k), ledgerValue(k, version)); err != nil {
		l.t.Errorf("put: %v", err)
		return
	}
	l.acked[k].Store(version)
}

func (l *ledger) get(rng *rand.Rand) {
	k := l.some(rng)
	least := l.acked[k].Load()
	b, err := l.db.Get(ledgerKey(k))
	if l.refused("get", err) {
		return
	}
	if version := l.version(k, b); version < least {
		l.t.Errorf("key %d: version %d was acknowledged, Get returns %d", k, least, version)
	}
}

// walk goes over some rows, now and then a step back, while others write.
func (l *ledger) walk(rng *rand.Rand) {
	it, err := l.db.NewIter(nil)
	ok(l.t, err)
	defer it.Close()
	from := rng.IntN(ledgerKeys)
	on := it.SeekGE(ledgerKey(from))
	for n := 0; on && n < 300; n++ {
		if n%50 == 0 {
			for range 1000 {
				runtime.Gosched()
			}
		}
		var k int
		if _, err := fmt.Sscanf(string(it.Key()), "key-%d", &k); err != nil || k != from+n {
			l.t.Errorf("an iterator shows %q in place of key %d", it.Key(), from+n)
			return
		}
		l.version(k, it.Value())
		if n > 0 && rng.IntN(6) == 0 && it.Prev() {
			on = it.Next()
		}
		on = on && it.Next()
	}
	l.refused("iterator", it.Err())
}

// dwell reads through a snapshot, which stays as it is.
func (l *ledger) dwell(rng *rand.Rand) {
	s, err := l.db.NewSnapshot()
	ok(l.t, err)
	defer s.Close()
	seen := map[int]uint32{}
	for range 200 {
		k := l.some(rng)
		b, err := s.Get(ledgerKey(k))
		if l.refused("snapshot", err) {
			continue
		}
		version := l.version(k, b)
		if was := seen[k]; was > 0 && was != version {
			l.t.Errorf("in a snapshot key %d was version %d and is %d", k, was, version)
		}
		seen[k] = version
	}
}

// Values are whole, never older than what was acknowledged, and never missing,
// whether blocks, pages, rows of the cache or memory of a former memtable held
// them, and whether reads fail or return damaged bytes now and then.
func TestReadsAreNeitherStaleNorDamagedNorMissing(t *testing.T) {
	t.Parallel()
	reads := 15_000
	if testing.Short() {
		reads = 5000
	}
	from := seed.New(t)
	l := newLedger(t)
	var all sync.WaitGroup
	run := func(n int, do func(rng *rand.Rand)) {
		from++
		rng := rand.New(rand.NewPCG(from, 1))
		all.Go(func() {
			for i := 0; i < n && !t.Failed(); i++ {
				do(rng)
			}
		})
	}
	puts := 0
	run(6000, func(rng *rand.Rand) {
		if puts++; puts%1000 == 0 {
			effect := []vfstest.Effect{vfstest.NotDone, vfstest.Damaged}[puts/1000%2]
			l.faults.Inject(vfstest.Fault{Match: vfstest.On(vfstest.Read), Nth: 50, Times: 30, Effect: effect})
		}
		l.overwrite(rng)
	})
	run(reads, l.get)
	run(reads, l.get)
	run(30, l.walk)
	run(60, l.dwell)
	all.Wait()
	l.faults.Clear()
	m := l.db.Metrics()
	if !t.Failed() && (l.failed.Load() == 0 || m.Memory.Rows == 0 || m.Flushes.Count < 10) {
		t.Errorf("%d reads failed, %d bytes of rows, %d flushes: not much was tried", l.failed.Load(), m.Memory.Rows, m.Flushes.Count)
	}
	ok(t, l.db.Close())
}
