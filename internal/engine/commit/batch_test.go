package commit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// store is a new store with keyspaces of these names.
func store(t *testing.T, names ...string) *siltstone.DB {
	t.Helper()
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem(), Durability: siltstone.BufferedDurability})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, name := range names {
		keyspace(t, db, name)
	}
	return db
}

func keyspace(t *testing.T, db *siltstone.DB, name string) *siltstone.Keyspace {
	t.Helper()
	ks, err := db.CreateKeyspace(name)
	if err != nil {
		t.Fatal(err)
	}
	return ks
}

// TestABatchReadFromItsBytesChangesAnotherStoreAsThisOne: names stand for numbers, and a
// name that is not there is an error. Bytes that are cut or changed are none.
func TestABatchReadFromItsBytesChangesAnotherStoreAsThisOne(t *testing.T) {
	here, there := store(t, "spare", "b", "a"), store(t) // numbers differ between the stores
	var b siltstone.Batch
	b.Put([]byte("k"), []byte("v"))
	b.In(keyspace(t, here, "a")).Put([]byte("k"), []byte("of a"))
	b.In(keyspace(t, here, "b")).PutTTL([]byte("k"), nil, siltstone.NoTTL-1)
	b.In(keyspace(t, here, "b")).Delete([]byte("gone"))
	b.In(keyspace(t, here, "a")).DeleteRange(siltstone.Range{Upper: []byte("j")})
	b.DeleteRange(siltstone.Range{})
	b.DeleteRange(siltstone.Range{Lower: []byte("x")})
	data, err := b.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.ReadBatch(data); !errors.Is(err, siltstone.ErrNotFound) {
		t.Fatalf("without the keyspaces: %v", err)
	}
	keyspace(t, there, "a")
	keyspace(t, there, "b")
	read, err := there.ReadBatch(data)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := opsOf(read), opsOf(&b); got != want {
		t.Fatalf("read\n%swant\n%s", got, want)
	}
	if err := there.Apply(read, siltstone.DefaultDurability); err != nil {
		t.Fatal(err)
	}
	for i := range data {
		if _, err := there.ReadBatch(data[:i]); !errors.Is(err, siltstone.ErrCorruption) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
		data[i] ^= 1
		if _, err := there.ReadBatch(data); !errors.Is(err, siltstone.ErrCorruption) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		data[i] ^= 1
	}
	b.Put(nil, nil)
	if _, err := b.MarshalBinary(); !errors.Is(err, siltstone.ErrEmptyKey) {
		t.Fatalf("of a batch with a mistake: %v", err)
	}
}

// opsOf writes the operations of b down.
func opsOf(b *siltstone.Batch) string {
	var out strings.Builder
	for op, err := range b.Ops() {
		fmt.Fprintf(&out, "%d %s %q=%q %v %q %v\n", op.Kind, op.Keyspace, op.Key, op.Value, op.TTL, op.Range, err)
	}
	return out.String()
}
