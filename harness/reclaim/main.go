// Reclaim shows that space comes back by itself: it loads keys while readers
// look them up, deletes them all, and watches the directory shrink without
// calling anything.
//
//	go run ./harness/reclaim               10 M keys of 128 bytes, deleted by one range delete
//	go run ./harness/reclaim -each         … one by one
//
// It exits 1 if a reader found a wrong value, or if the disk is not back within
// a minute.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/internal/load"
)

type settings struct {
	load.Settings
	each  bool
	limit time.Duration
}

func main() {
	var s settings
	s.Flags()
	flag.BoolVar(&s.each, "each", false, "delete key by key instead of with one range delete")
	flag.DurationVar(&s.limit, "limit", time.Minute, "how long the disk may take to come back")
	flag.Parse()
	s.Main("reclaim", s.run)
}

func (s *settings) run() error {
	db, err := siltstone.Open(s.Dir, &siltstone.Options{Durability: siltstone.BufferedDurability})
	if err != nil {
		return err
	}
	err = s.load(db)
	if err == nil {
		err = s.deleteAll(db)
	}
	if err == nil {
		err = s.watch()
	}
	return errors.Join(err, db.Close())
}

// load puts every key while a reader looks up what has been put.
func (s *settings) load(db *siltstone.DB) error {
	var loaded, reads atomic.Uint64
	done := make(chan struct{})
	var readErr error
	var reader sync.WaitGroup
	reader.Go(func() { readErr = s.read(db, &loaded, &reads, done) })
	begin := time.Now()
	var k, v []byte
	var longest time.Duration
	var err error
	for i := uint64(0); i < s.Keys && err == nil; i++ {
		k, v = load.Key(k, i), s.Value(v, i)
		start := time.Now()
		err = db.Put(k, v)
		longest = max(longest, time.Since(start))
		loaded.Store(i + 1)
	}
	took := time.Since(begin)
	close(done)
	reader.Wait()
	if err = errors.Join(err, readErr); err != nil {
		return err
	}
	size, err := diskBytes(s.Dir)
	fmt.Printf("loaded %d keys of %d bytes in %v (%.0f a second, longest put %v), %d reads beside; %d MiB on disk\n",
		s.Keys, s.ValueSize, took.Round(time.Millisecond), float64(s.Keys)/took.Seconds(), longest.Round(time.Microsecond), reads.Load(), size>>20)
	return err
}

// read looks up keys that have been loaded and compares their values.
func (s *settings) read(db *siltstone.DB, loaded, reads *atomic.Uint64, done chan struct{}) error {
	var k, v, want []byte
	for n := uint64(1); ; n = n*6364136223846793005 + 1442695040888963407 {
		select {
		case <-done:
			return nil
		default:
		}
		top := loaded.Load()
		if top == 0 {
			continue
		}
		i := (n >> 16) % top
		k, want = load.Key(k, i), s.Value(want, i)
		var err error
		if v, err = db.AppendGet(v[:0], k); err != nil {
			return fmt.Errorf("key %d of %d: %w", i, top, err)
		}
		if string(v) != string(want) {
			return fmt.Errorf("key %d of %d has a wrong value", i, top)
		}
		reads.Add(1)
	}
}

func (s *settings) deleteAll(db *siltstone.DB) error {
	begin := time.Now()
	if !s.each {
		if err := db.DeleteRange(siltstone.Range{}); err != nil {
			return err
		}
	} else {
		var k []byte
		for i := range s.Keys {
			k = load.Key(k, i)
			if err := db.Delete(k); err != nil {
				return err
			}
		}
	}
	fmt.Printf("deleted in %v\n", time.Since(begin).Round(time.Microsecond))
	return nil
}

// watch waits until the directory holds next to nothing.
func (s *settings) watch() error {
	const small = 1 << 20
	begin := time.Now()
	for tick := time.NewTicker(200 * time.Millisecond); ; <-tick.C {
		size, err := diskBytes(s.Dir)
		if err != nil {
			return err
		}
		since := time.Since(begin)
		if size <= small+int64(s.logs()) {
			fmt.Printf("disk back after %v: %d KiB\n", since.Round(time.Millisecond), size>>10)
			return nil
		}
		if since > s.limit {
			return fmt.Errorf("after %v there are still %d KiB on disk", since.Round(time.Second), size>>10)
		}
	}
}

// logs returns the bytes of log files, which hold the deletes themselves until
// the memtable is next flushed.
func (s *settings) logs() (size uint64) {
	names, _ := filepath.Glob(filepath.Join(s.Dir, "*.wal"))
	for _, name := range names {
		if st, err := os.Stat(name); err == nil {
			size += uint64(st.Size())
		}
	}
	return size
}

// diskBytes is the size of the files in dir.
func diskBytes(dir string) (size int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, nil
}
