package fuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
)

// backupStream is a backup of a store with one table.
func backupStream(t testing.TB) []byte {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	if err == nil {
		err = db.Put([]byte("k"), []byte("v"))
	}
	var b bytes.Buffer
	if err == nil {
		_, err = db.Backup(t.Context(), &b, nil)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readBackup reads any bytes as a backup. What is accepted is a state of tables.
func readBackup(t *testing.T, data []byte) {
	r, err := archive.NewReader(bytes.NewReader(data))
	received := 0
	for err == nil {
		if _, err = r.Next(); err == nil {
			var b []byte
			b, err = io.ReadAll(r)
			received += len(b)
		}
	}
	if err == io.EOF {
		sum := r.Summary()
		all, err := archive.StateTables(r.State())
		if err != nil || len(all) != len(sum.Mark.Tables) || sum.Bytes != int64(len(data)) || received > len(data) {
			t.Fatalf("%v of %d bytes: %v", sum, len(data), err)
		}
		return
	}
	if !errors.Is(err, base.ErrCorruption) && !errors.Is(err, base.ErrFormatTooNew) {
		t.Fatal(err)
	}
}

// FuzzBackup reads any bytes as a backup.
func FuzzBackup(f *testing.F) {
	data := backupStream(f)
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add(data[:200])
	f.Add([]byte{})
	f.Fuzz(readBackup)
}

// FuzzBackupBlocks makes all checksums of any blocks right, so that what stands behind
// them is reached. In what it is given a block is a kind, a length of two bytes and so
// many bytes.
func FuzzBackupBlocks(f *testing.F) {
	data := backupStream(f)
	var blocks []byte
	for rest := data[128:]; len(rest) > 0; {
		n := int(binary.LittleEndian.Uint32(rest[4:]))
		blocks = append(blocks, rest[0], byte(n), byte(n>>8))
		blocks = append(blocks, rest[24:24+n]...)
		rest = rest[24+n:]
	}
	f.Add(data[16:48], blocks)
	f.Add(data[16:48], blocks[:len(blocks)/2])
	f.Fuzz(func(t *testing.T, ids, blocks []byte) {
		b := bytes.Clone(data[:128])
		copy(b[16:48], ids)
		binary.LittleEndian.PutUint64(b[120:], xxhash.Sum64(b[:120]))
		for n := uint64(1); len(blocks) >= 3; n++ {
			payload := blocks[3:min(len(blocks), 3+int(blocks[1])+int(blocks[2])<<8)]
			head := make([]byte, 24)
			head[0] = blocks[0]
			binary.LittleEndian.PutUint32(head[4:], uint32(len(payload)))
			binary.LittleEndian.PutUint64(head[8:], n)
			sum := xxhash.New()
			_, _ = sum.Write(b[24:32])
			_, _ = sum.Write(head[:16])
			_, _ = sum.Write(payload)
			binary.LittleEndian.PutUint64(head[16:], sum.Sum64())
			b = append(append(b, head...), payload...)
			blocks = blocks[3+len(payload):]
		}
		readBackup(t, b)
	})
}

// FuzzMark decodes any bytes as a mark, with the right checksum: what is accepted names
// its tables in order.
func FuzzMark(f *testing.F) {
	b, err := archive.Mark{Store: 1, Backup: 2, Tables: []archive.Table{{ID: 3, Size: 4, Digest: 5}}}.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:len(b)-8])
	f.Fuzz(func(t *testing.T, data []byte) {
		var m archive.Mark
		err := m.UnmarshalBinary(binary.LittleEndian.AppendUint64(data[:len(data):len(data)], xxhash.Sum64(data)))
		if err != nil {
			if !errors.Is(err, base.ErrCorruption) {
				t.Fatal(err)
			}
			return
		}
		for _, want := range m.Tables {
			if !m.Has(want) {
				t.Fatalf("%v has no %v", m, want)
			}
		}
	})
}
