package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// disk is a slow one: a sync takes a while, and bytes are written at a rate.
type disk struct {
	name   string
	tables bool // only tables are slow, so that the log does not hold writers back
}

// disks are those of the cases. Where the log is as slow as tables, it sets the pace;
// where it is not, nothing but the budget keeps memtables from piling up.
var disks = []disk{{name: "slow"}, {name: "slow-tables", tables: true}}

const (
	slowSync  = 30 * time.Millisecond
	slowBytes = 50 << 20 // a second
)

// fs returns the file system of the disk.
func (d disk) fs() vfs.FS {
	f := vfstest.NewFaults(vfs.OS)
	f.OnOp(func(op vfstest.Op) {
		if d.tables && !strings.HasSuffix(op.Name, ".sst") {
			return
		}
		switch op.Kind {
		case vfstest.Sync, vfstest.SyncDir:
			time.Sleep(slowSync)
		case vfstest.Write:
			time.Sleep(time.Duration(op.Len) * time.Second / slowBytes)
		}
	})
	return f
}

func (s *settings) open(d disk) (*siltstone.DB, error) {
	return siltstone.Open(filepath.Join(s.Dir, d.name), &siltstone.Options{
		FS: d.fs(), Durability: siltstone.BufferedDurability, MemoryLimit: s.limit, Compression: siltstone.NoCompression,
	})
}

// killed has a process of its own write batches to a store until it is killed, and
// opens what it left.
func (s *settings) killed(d disk) error {
	begin := time.Now()
	child := exec.Command(os.Args[0], "-kill", "-dir", s.Dir, "-limit", fmt.Sprint(s.limit), "-batches", fmt.Sprint(s.batches), d.name)
	child.Stderr = os.Stderr
	out, err := child.Output()
	var peak uint64
	if _, scan := fmt.Sscan(string(out), &peak); scan != nil {
		return fmt.Errorf("the process that writes batches ended before its kill: %w", err)
	}
	s.say("batches, "+d.name, begin, peak)

	begin = time.Now()
	w := watch()
	db, err := s.open(d)
	peak = w.take()
	w.stop()
	if err != nil {
		return err
	}
	s.say("reopen, "+d.name, begin, peak)
	return db.Close()
}

// writeBatches is the process that is killed: it prints the peak, and is killed by
// itself while it writes on.
func (s *settings) writeBatches() error {
	var d disk
	for _, d = range disks {
		if d.name == flag.Arg(0) {
			break
		}
	}
	db, err := s.open(d)
	if err != nil {
		return err
	}
	w := watch()
	value := make([]byte, 64<<10)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(value) // never fails
	kill := make(chan struct{})
	for i := 0; ; i++ {
		var b siltstone.Batch
		for k := range 32 {
			b.Put(fmt.Appendf(nil, "%06d-%04d", i, k), value)
		}
		if err := db.Apply(&b, siltstone.BufferedDurability); err != nil {
			return err
		}
		if i == s.batches {
			go func() {
				defer close(kill)
				fmt.Println(w.take())
				self, err := os.FindProcess(os.Getpid())
				if err == nil {
					err = self.Kill()
				}
				fmt.Fprintln(os.Stderr, "not killed:", err)
			}()
		}
		select {
		case <-kill:
			return errors.New("could not kill itself")
		default:
		}
	}
}
