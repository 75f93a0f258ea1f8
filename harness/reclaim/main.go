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
	"encoding/binary"
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
)

type settings struct {
	keys, valueSize uint64
	each            bool
	limit           time.Duration
	dir             string
}

func main() {
	var s settings
	flag.Uint64Var(&s.keys, "n", 10_000_000, "keys to load")
	flag.Uint64Var(&s.valueSize, "value", 128, "bytes of a value")
	flag.BoolVar(&s.each, "each", false, "delete key by key instead of with one range delete")
	flag.DurationVar(&s.limit, "limit", time.Minute, "how long the disk may take to come back")
	flag.StringVar(&s.dir, "dir", "", "directory of the store; a temporary one if empty")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "reclaim:", err)
		os.Exit(1)
	}
}

func run(s settings) error {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "siltstone-reclaim")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.dir = dir
	}
	db, err := siltstone.Open(s.dir, &siltstone.Options{Durability: siltstone.Buffered})
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

// key spreads numbers over the key space.
func key(dst []byte, i uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst[:0], "load-key"...), i*0x9E3779B97F4A7C15)
}

// value says which key it belongs to; half of it compresses.
func (s settings) value(dst []byte, i uint64) []byte {
	dst = binary.BigEndian.AppendUint64(dst[:0], i)
	for x := i; uint64(len(dst)) < s.valueSize/2; {
		x = x*6364136223846793005 + 1442695040888963407
		dst = binary.BigEndian.AppendUint64(dst, x)
	}
	return append(dst, make([]byte, s.valueSize-min(s.valueSize, uint64(len(dst))))...)
}

// load puts every key while a reader looks up what has been put.
func (s settings) load(db *siltstone.DB) error {
	var loaded, reads atomic.Uint64
	done := make(chan struct{})
	var readErr error
	var reader sync.WaitGroup
	reader.Go(func() { readErr = s.read(db, &loaded, &reads, done) })
	begin := time.Now()
	var k, v []byte
	var longest time.Duration
	var err error
	for i := uint64(0); i < s.keys && err == nil; i++ {
		k, v = key(k, i), s.value(v, i)
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
	size, err := diskBytes(s.dir)
	fmt.Printf("loaded %d keys of %d bytes in %v (%.0f a second, longest put %v), %d reads beside; %d MiB on disk\n",
		s.keys, s.valueSize, took.Round(time.Millisecond), float64(s.keys)/took.Seconds(), longest.Round(time.Microsecond), reads.Load(), size>>20)
	return err
}

// read looks up keys that have been loaded and compares their values.
func (s settings) read(db *siltstone.DB, loaded, reads *atomic.Uint64, done chan struct{}) error {
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
		k, want = key(k, i), s.value(want, i)
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

func (s settings) deleteAll(db *siltstone.DB) error {
	begin := time.Now()
	if !s.each {
		if err := db.DeleteRange(siltstone.Range{}); err != nil {
			return err
		}
	} else {
		var k []byte
		for i := range s.keys {
			k = key(k, i)
			if err := db.Delete(k); err != nil {
				return err
			}
		}
	}
	fmt.Printf("deleted in %v\n", time.Since(begin).Round(time.Microsecond))
	return nil
}

// watch waits until the directory holds next to nothing.
func (s settings) watch() error {
	const small = 1 << 20
	begin := time.Now()
	for tick := time.NewTicker(200 * time.Millisecond); ; <-tick.C {
		size, err := diskBytes(s.dir)
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
func (s settings) logs() (size uint64) {
	names, _ := filepath.Glob(filepath.Join(s.dir, "*.wal"))
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
