package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

// readsAboutItsTotal runs a command on stores that are larger than the cache and smaller,
// and on one whose commits are in a log, and holds what it read against its total.
func readsAboutItsTotal(t *testing.T, run func(tl *tool, dir string) (read, total int64, err error)) {
	for name, c := range map[string]struct {
		memory, bytes int64
		flush         bool
	}{
		"larger than the cache":  {memory: 8 << 20, bytes: 24 << 20, flush: true},
		"smaller than the cache": {memory: 64 << 20, bytes: 6 << 20, flush: true},
		"in the log":             {memory: 64 << 20, bytes: 3 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			if err := makeNoise(dir, c.bytes, c.flush); err != nil {
				t.Fatal(err)
			}
			tl := newTool(nil, io.Discard, io.Discard)
			tl.memory.bytes = c.memory
			read, total, err := run(tl, dir)
			if err != nil {
				t.Fatal(err)
			}
			if read < total*3/4 || read > total*5/4 {
				t.Errorf("%d bytes read, %d were expected", read, total)
			}
		})
	}
}

func TestTheProgressOfCheckEndsAtAboutItsTotal(t *testing.T) {
	readsAboutItsTotal(t, func(tl *tool, dir string) (read, total int64, err error) {
		faults, read, err := tl.checkStore(context.Background(), dir, func(int) {})
		return read, tl.checkBytes(dir), errors.Join(append(faults, err)...)
	})
}

func TestTheProgressOfRepairEndsAtAboutItsTotal(t *testing.T) {
	readsAboutItsTotal(t, func(tl *tool, dir string) (read, total int64, err error) {
		var done atomic.Int64
		_, err = tl.repairStore(context.Background(), dir, dir+".new", func(n int) { done.Add(int64(n)) })
		return done.Load(), tl.repairBytes(dir), err
	})
}

// makeNoise makes a store of bytes that cannot be compressed.
func makeNoise(dir string, bytes int64, flush bool) (err error) {
	db, err := siltstone.Open(dir, &siltstone.Options{Durability: siltstone.BufferedDurability})
	if err != nil {
		return err
	}
	r, value := rand.New(rand.NewPCG(1, 1)), make([]byte, 500)
	for i := range bytes / int64(len(value)) {
		for j := range value {
			value[j] = byte(r.Uint32())
		}
		if err == nil {
			err = db.Put(fmt.Appendf(nil, "key:%09d", i), value)
		}
	}
	if err == nil && flush {
		err = db.Flush(context.Background())
	}
	closing(db, &err)
	return err
}

// TestALineBesideTheProgressStandsAlone writes one while the report of a terminal is shown,
// and hides the report where data go to the terminal.
func TestALineBesideTheProgressStandsAlone(t *testing.T) {
	var screen strings.Builder
	p := &progress{what: "import", unit: "key", w: &screen, width: 80, begin: time.Now(), stop: make(chan struct{})}
	p.show()
	p.say("left out: a key")
	p.show()
	if got := screen.String(); !strings.Contains(got, "\r\x1b[Kleft out: a key\n\rimport: ") {
		t.Errorf("%q", got)
	}
	p.besides(&output{width: 80})
	screen.Reset()
	p.show()
	p.note("700 keys")
	p.End()
	if got := screen.String(); got != "" {
		t.Errorf("%q among the data", got)
	}
}

func TestAProgressBeyondItsEstimateHasNoShare(t *testing.T) {
	for done, want := range map[int64]string{
		0:        "check:   0% of 2.0 MiB, 0 B/s",
		1 << 20:  "check:  50% of 2.0 MiB, 512 KiB/s, 2s left",
		2 << 20:  "check: 100% of 2.0 MiB, 1.0 MiB/s",
		10 << 20: "check: 10 MiB, 5.0 MiB/s, 2s",
	} {
		if got := progressText("check", "B", done, 2<<20, 2*time.Second); got != want && strings.TrimSpace(got) != want {
			t.Errorf("after %d: %q, want %q", done, got, want)
		}
	}
}
