// Retention compares ways to keep only the last days of what is written: what each takes of
// the disk, and what it costs to write. Each way runs in a store of its own, whose clock this
// program moves on by a day after each day's records.
//
//	go run ./harness/retention              12 days of 200,000 records of 128 bytes, 6 of them kept
//	go run ./harness/retention -n 10000 -days 5 -keep 2
//
// It prints a row for each way:
//
//	disk      the tables at the end of a day, when the store has come to rest, on average
//	          over the days after the first are to go; beside it what the kept days alone
//	          would take
//	most      the most that the tables took in between
//	written   bytes written to logs and tables for each byte of keys and values put
//	puts      a second, by one goroutine
//	removal   the longest call that removed a day
//
// It exits 1 if a way has left records that should have gone, or has lost others.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/internal/load"
)

type settings struct {
	load.Settings
	days, keep int
}

func main() {
	var s settings
	flag.Uint64Var(&s.Keys, "n", 200_000, "records a day")
	flag.Uint64Var(&s.ValueSize, "value", 128, "bytes of a record")
	flag.IntVar(&s.days, "days", 12, "days")
	flag.IntVar(&s.keep, "keep", 6, "days that are kept")
	flag.StringVar(&s.Dir, "dir", "", "directory of the stores; a temporary one if empty")
	flag.Parse()
	s.Main("retention", s.run)
}

const day = 24 * time.Hour

// way is a way to keep the last days. Any of its functions may be nil.
type way struct {
	name   string
	put    func(p *period, key, value []byte) error
	remove func(p *period) error // the day that is to go
	byID   bool                  // keys are not in the order of time
}

// period is a day of a run.
type period struct {
	db     *siltstone.DB
	number int
	keep   int
	space  *siltstone.Keyspace // of the day, if the way has those
}

func spaceName(number int) string { return fmt.Sprintf("day-%05d", number) }

var plainPut = func(p *period, key, value []byte) error { return p.db.Put(key, value) }

var ttlPut = func(p *period, key, value []byte) error {
	return p.db.PutTTL(key, value, time.Duration(p.keep)*day)
}

var ways = []way{
	{name: "nothing removed", put: plainPut},
	{
		name: "`DeleteRange` a day", put: plainPut,
		remove: func(p *period) error {
			return p.db.DeleteRange(siltstone.Range{Upper: dayKey(p.number - p.keep + 1)})
		},
	},
	{name: "`PutTTL`, keys by time", put: ttlPut},
	{name: "`PutTTL`, keys by id", put: ttlPut, byID: true},
	{
		name: "a keyspace a day",
		put:  func(p *period, key, value []byte) error { return p.space.Put(key, value) },
		remove: func(p *period) error {
			err := p.db.DropKeyspace(spaceName(p.number - p.keep))
			if errors.Is(err, siltstone.ErrNotFound) {
				err = nil
			}
			return err
		},
	},
}

func dayKey(number int) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(max(number, 0)))
}

func (s *settings) run() error {
	kept := int64(s.Keys) * int64(s.keep) * int64(12+s.ValueSize)
	fmt.Printf("%d days of %d records of %d bytes, %d days kept: %s of keys and values\n\n", s.days, s.Keys, s.ValueSize, s.keep, mib(kept))
	fmt.Printf("| way | disk | most | written | puts | removal |\n|---|---|---|---|---|---|\n")
	for i, w := range ways {
		if err := s.try(w, filepath.Join(s.Dir, fmt.Sprint(i))); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// figures are what is measured of a way.
type figures struct {
	disk, most int64
	rests      int64 // that disk is the sum of
	putting    time.Duration
	removal    time.Duration
	written    float64
}

// try runs one way and prints its row.
func (s *settings) try(w way, dir string) (err error) {
	defer os.RemoveAll(dir)
	var now atomic.Int64 // seconds
	now.Store(1_900_000_000)
	db, err := siltstone.Open(dir, &siltstone.Options{
		Durability: siltstone.BufferedDurability, MemoryLimit: 64 << 20,
		Clock: func() time.Time { return time.Unix(now.Load(), 0) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var f figures
	for number := range s.days {
		p := &period{db: db, number: number, keep: s.keep}
		if err := s.day(w, p, &f); err != nil {
			return err
		}
		if number+1 < s.days {
			now.Add(int64(day / time.Second))
		}
		f.rest(db, number >= s.keep)
	}
	m := db.Metrics()
	put := int64(s.days) * int64(s.Keys) * int64(12+s.ValueSize)
	f.written = float64(m.Commits.Bytes+m.Flushes.Bytes+m.Compactions.BytesOut) / float64(put)
	if err := s.verify(w, db); err != nil {
		return err
	}
	removal := "–"
	if w.remove != nil {
		removal = f.removal.Round(10 * time.Microsecond).String()
	}
	fmt.Printf("| %s | %s | %s | %.1f | %.0f | %s |\n", w.name, mib(f.disk/max(f.rests, 1)), mib(f.most), f.written,
		float64(s.days)*float64(s.Keys)/f.putting.Seconds(), removal)
	return nil
}

// day puts the records of a day and removes those of the day that is over.
func (s *settings) day(w way, p *period, f *figures) (err error) {
	p.space = nil
	if w.name == "a keyspace a day" {
		if p.space, err = p.db.CreateKeyspace(spaceName(p.number)); err != nil {
			return err
		}
	}
	if w.remove != nil && p.number >= p.keep {
		begin := time.Now()
		if err := w.remove(p); err != nil {
			return err
		}
		f.removal = max(f.removal, time.Since(begin))
	}
	r := rand.New(rand.NewPCG(1, uint64(p.number)))
	var key, value []byte
	begin := time.Now()
	for i := range s.Keys {
		key = append(key[:0], dayKey(p.number)...)
		key = binary.BigEndian.AppendUint64(key, i)
		if w.byID {
			binary.BigEndian.PutUint64(key, r.Uint64())
		}
		value = s.Value(value, r.Uint64())
		if err := w.put(p, key, value); err != nil {
			return err
		}
		if i%10_000 == 0 {
			f.see(p.db)
		}
	}
	f.putting += time.Since(begin)
	return nil
}

// see looks at the disk.
func (f *figures) see(db *siltstone.DB) int64 {
	d := db.Metrics().Disk
	f.most = max(f.most, d.Tables+d.Obsolete)
	return d.Tables + d.Obsolete
}

// rest waits until nothing has been merged for a second.
func (f *figures) rest(db *siltstone.DB, full bool) {
	if err := db.Flush(context.Background()); err != nil {
		return // the next call says it
	}
	last, quiet := int64(-1), time.Now()
	for time.Since(quiet) < time.Second {
		m := db.Metrics()
		if did := m.Compactions.Merges + m.Compactions.Drops + m.Compactions.Moves; did != last || m.Compactions.Running > 0 {
			last, quiet = did, time.Now()
		}
		f.see(db)
		time.Sleep(50 * time.Millisecond)
	}
	if full {
		f.disk += f.see(db)
		f.rests++
	}
}

// verify counts what is left.
func (s *settings) verify(w way, db *siltstone.DB) error {
	names, err := db.Keyspaces()
	if err != nil {
		return err
	}
	spaces := []siltstone.Typed{db}
	for _, name := range names {
		ks, err := db.Keyspace(name)
		if err != nil {
			return err
		}
		spaces = append(spaces, ks)
	}
	left := int64(0)
	for _, ks := range spaces {
		n, err := ks.Keys().Count()
		if err != nil {
			return err
		}
		left += n
	}
	want := int64(s.Keys) * int64(min(s.keep, s.days))
	if w.name == "nothing removed" {
		want = int64(s.Keys) * int64(s.days)
	}
	if left != want {
		return fmt.Errorf("%d records are left, not %d", left, want)
	}
	return nil
}
