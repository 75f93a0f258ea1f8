package raftstore

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/vfs"
)

// fullDisk is a file system that is full while full is set.
type fullDisk struct {
	vfs.FS
	full atomic.Bool
}

func (d *fullDisk) Free(dir string) int64 {
	if d.full.Load() {
		return 0
	}
	return d.FS.Free(dir)
}

func (d *fullDisk) Create(name string) (vfs.File, error) {
	if d.full.Load() {
		return nil, vfs.ErrNoSpace
	}
	f, err := d.FS.Create(name)
	return &fullFile{f, d}, err
}

type fullFile struct {
	vfs.File
	of *fullDisk
}

func (f *fullFile) Allocate(size int64) error {
	if f.of.full.Load() {
		return vfs.ErrNoSpace
	}
	return f.File.Allocate(size)
}

// TestATermWaitsForSpace: raft panics if it cannot note one.
func TestATermWaitsForSpace(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem()}
	log := openLog(t, "log", disk)
	stopped := make(chan struct{})
	s := &stable{log, make(chan struct{}), func() { close(stopped) }, nil}
	if err := s.SetUint64([]byte("term"), 1); err != nil {
		t.Fatal(err)
	}
	disk.full.Store(true)
	big := make([]byte, 4<<20) // more than the log has room for
	if err := s.SetUint64([]byte("term"), 1); err != nil {
		t.Errorf("what is there: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Set([]byte("vote"), big) }()
	select {
	case err := <-done:
		t.Fatalf("without space: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	disk.full.Store(false)
	if err := <-done; err != nil {
		t.Error(err)
	}
	disk.full.Store(true)
	ended := make(chan bool, 1)
	go func() {
		defer close(ended)
		_ = s.Set([]byte("vote"), append(big, 1)) // does not return
		ended <- true
	}()
	close(s.closing)
	<-stopped
	if <-ended {
		t.Error("it goes on without space")
	}
	disk.full.Store(false)
}
