package raftstore

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/vfs"
)

var onDisk = files{vfs.OS}

// checkpointOf returns a small checkpoint, in memory.
func checkpointOf(t testing.TB) (on files, dir string) {
	t.Helper()
	on = files{vfs.NewMem()}
	db, err := siltstone.Open("db", &siltstone.Options{FS: on.FS})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := errors.Join(db.Put([]byte("k"), []byte("v")), db.Checkpoint(bg, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	return on, "checkpoint"
}

// streamOf returns the stream of a small checkpoint.
func streamOf(t testing.TB) []byte {
	t.Helper()
	on, dir := checkpointOf(t)
	var b bytes.Buffer
	parts, length, err := stateParts(on, dir, archive.Mark{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sendState(&b, on, dir, parts, point{7, 8}); err != nil || length != int64(b.Len()) {
		t.Fatalf("the stream has %d bytes, said are %d: %v", b.Len(), length, err)
	}
	return b.Bytes()
}

func TestAStreamMakesTheSameStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "to")
	at, err := receiveState(bytes.NewReader(streamOf(t)), onDisk, dir, nil)
	if err != nil || at != (point{7, 8}) {
		t.Fatalf("%v, %v", at, err)
	}
	db, err := siltstone.Open(dir, &siltstone.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if v, err := db.Get([]byte("k")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

func TestAStreamThatIsCutOrDamagedIsRefused(t *testing.T) {
	good := streamOf(t)
	receive := func(b []byte) error {
		_, err := receiveState(bytes.NewReader(b), files{vfs.NewMem()}, "to", nil)
		return err
	}
	step := 401
	if *long {
		step = 1
	}
	for i := 0; i < len(good); i += step {
		if err := receive(good[:i]); !errors.Is(err, errBadStream) {
			t.Errorf("cut at %d of %d: %v", i, len(good), err)
		}
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if err := receive(bad); err == nil {
			t.Errorf("damaged at %d: it is taken", i)
		}
	}
}

func TestASnapshotIsThereWholeOrNotAtAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "snapshots")
	s, err := openSnapshots(onDisk, dir)
	if err != nil {
		t.Fatal(err)
	}
	good := streamOf(t)
	for name, b := range map[string][]byte{"empty": nil, "cut": good[:len(good)/2], "too long": append(bytes.Clone(good), 0)} {
		k, err := s.Create(1, 9, 2, raft.Configuration{}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, werr := k.Write(b)
		if err := errors.Join(werr, k.Close()); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	for _, index := range []uint64{9, 10, 11} {
		k, err := s.Create(1, index, 2, raft.Configuration{}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Write(good); err != nil {
			t.Fatal(err)
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	given, err := s.Create(1, 12, 2, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := given.Write(good[:10]); err != nil {
		t.Fatal(err)
	}
	if err := given.Cancel(); err != nil {
		t.Fatal(err)
	}
	left, err := s.Create(1, 13, 2, raft.Configuration{}, 1, nil) // as by a process that was killed
	if err != nil || left == nil {
		t.Fatal(err)
	}
	if s, err = openSnapshots(onDisk, dir); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil || len(all) != keepSnapshots || all[0].Index != 11 {
		t.Fatalf("%v, %v", all, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != keepSnapshots {
		t.Errorf("%v", files)
	}
	meta, r, err := s.Open(all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || int64(len(b)) != meta.Size || !bytes.Equal(b, good) {
		t.Errorf("%d bytes of %d, %v", len(b), meta.Size, err)
	}
}

// FuzzStream gives the receiver random bytes.
func FuzzStream(f *testing.F) {
	f.Add(streamOf(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := filepath.Join(t.TempDir(), "to")
		if _, err := receiveState(bytes.NewReader(b), onDisk, dir, nil); err == nil {
			var again bytes.Buffer
			at, _ := receiveState(bytes.NewReader(b), onDisk, filepath.Join(t.TempDir(), "to"), nil)
			parts, _, err := stateParts(onDisk, dir, archive.Mark{})
			if err != nil {
				t.Fatal(err)
			}
			if err := sendState(&again, onDisk, dir, parts, at); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzProposal gives the decoder of the log's entries random bytes.
func FuzzProposal(f *testing.F) {
	good := proposal{kind: kindCommand, time: 1, seed: 2, id: [16]byte{3}, name: "n", arg: []byte("a")}
	f.Add(good.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodeProposal(b)
		if err != nil {
			if !errors.Is(err, errBadProposal) {
				t.Fatal(err)
			}
			return
		}
		if got := p.append(nil); !bytes.Equal(got, b) {
			t.Fatalf("%x came back as %x", b, got)
		}
	})
}

// TestSnapshotsAreListedWhileOldOnesAreRemoved: a leader lists them to send one, and takes
// another meanwhile.
func TestSnapshotsAreListedWhileOldOnesAreRemoved(t *testing.T) {
	t.Parallel()
	s, err := openSnapshots(files{vfs.NewMem()}, "snapshots")
	if err != nil {
		t.Fatal(err)
	}
	good := streamOf(t)
	made := make(chan struct{})
	go func() {
		defer close(made)
		for i := range uint64(60) {
			k, err := s.Create(1, i+1, 1, raft.Configuration{}, 1, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := k.Write(good); err != nil {
				t.Error(err)
			}
			if err := k.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	for {
		select {
		case <-made:
			return
		default:
		}
		if _, err := s.List(); err != nil {
			t.Error(err)
			<-made
			return
		}
	}
}
