package txn_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

// keyspace returns a keyspace, which it makes if it is not there.
func keyspace(t *testing.T, db *siltstone.DB, name string) *siltstone.Keyspace {
	t.Helper()
	ks, err := db.CreateKeyspace(name)
	ok(t, err)
	return ks
}

// pairs returns the keys and values of a keyspace.
func pairs(t *testing.T, from siltstone.Reader) string {
	t.Helper()
	var out strings.Builder
	for kv, err := range from.Scan(siltstone.Range{}) {
		ok(t, err)
		fmt.Fprintf(&out, "%q=%q ", kv.Key, kv.Value)
	}
	return out.String()
}

func TestAWriteSetReadFromItsBytesDoesElsewhereWhatTheTransactionDidHere(t *testing.T) {
	here, there := newStore(t), newStore(t)
	keyspace(t, here, "spare") // numbers differ between the stores
	for _, s := range []*siltstone.DB{here, there} {
		for _, to := range []siltstone.Writer{s, keyspace(t, s, "ks")} {
			ok(t, to.Put([]byte("a"), []byte("old")))
			ok(t, to.Put([]byte("m"), []byte("old")))
			ok(t, to.Put([]byte("n"), []byte("old")))
		}
		_, err := s.Hash("hash").Set("f", []byte("v"))
		ok(t, err)
	}
	var data []byte
	ok(t, here.Update(bg, func(tx *siltstone.Tx) error {
		if b, err := tx.WriteSet(); b.Len() != 0 || err != nil {
			t.Errorf("of a transaction without writes: %d, %v", b.Len(), err)
		}
		in := tx.In(keyspace(t, here, "ks"))
		_, err := in.Get([]byte("a"))
		ok(t, errors.Join(err, in.DeleteRange(siltstone.Range{}), in.Put([]byte("b"), []byte("new")), in.PutTTL([]byte("c"), nil, time.Hour)))
		ok(t, errors.Join(tx.DeleteRange(siltstone.Range{Lower: []byte("m"), Upper: []byte("n")}), tx.Put([]byte("b"), nil), tx.Delete([]byte("b"))))
		_, err = tx.String("count").Incr(7)
		ok(t, err)
		_, err = tx.Hash("hash").Drop()
		ok(t, err)
		b, err := in.WriteSet()
		ok(t, err)
		data, err = b.MarshalBinary()
		return err
	}))
	b, err := there.ReadBatch(data)
	ok(t, err)
	ok(t, there.Apply(b, siltstone.DefaultDurability))
	for _, name := range []string{"", "ks"} {
		got, want := siltstone.Reader(there), siltstone.Reader(here)
		if name != "" {
			got, want = keyspace(t, there, name), keyspace(t, here, name)
		}
		if got, want := pairs(t, got), pairs(t, want); got != want {
			t.Errorf("keyspace %q has %s, want %s", name, got, want)
		}
	}
	if ttl, err := keyspace(t, there, "ks").TTL([]byte("c")); ttl <= 0 || ttl > time.Hour || err != nil {
		t.Errorf("%v to live, %v", ttl, err)
	}
	if has, err := there.Has([]byte("hash")); has || err != nil {
		t.Errorf("the hash is there: %v, %v", has, err)
	}
}

// A deadline may be further away than a duration can say.
func TestAWriteSetKeepsTimesToLiveHoweverItIsApplied(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	deadlines := map[string]time.Time{"soon": now.Add(time.Hour), "in a thousand years": now.AddDate(1000, 0, 0)}
	here := newStore(t, func(o *siltstone.Options) { o.Clock = func() time.Time { return now } })
	var direct, read *siltstone.Batch
	ok(t, here.Update(bg, func(tx *siltstone.Tx) (err error) {
		for name, at := range deadlines {
			ok(t, errors.Join(tx.Put([]byte(name), nil), tx.Key(name).ExpireAt(at)))
		}
		direct, err = tx.WriteSet()
		return err
	}))
	data, err := direct.MarshalBinary()
	ok(t, err)
	read, err = here.ReadBatch(data)
	ok(t, err)
	for how, b := range map[string]*siltstone.Batch{"as it is": direct, "read from its bytes": read} {
		ok(t, here.DeleteRange(siltstone.Range{}))
		ok(t, here.Apply(b, siltstone.DefaultDurability))
		for name, at := range deadlines {
			if got, err := here.Key(name).Deadline(); !got.Equal(at) || err != nil {
				t.Errorf("applied %s, %s ends at %v, %v, want %v", how, name, got, err, at)
			}
		}
	}
}

func TestAWriteSetOfCollectionsIsRefused(t *testing.T) {
	s := newStore(t)
	large := strings.Repeat("v", 1000) // in rows of its own
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error { _, err := tx.Hash("large").Set("f", []byte(large)); return err }))
	for name, write := range map[string]func(tx *siltstone.Tx) error{
		"small": func(tx *siltstone.Tx) error { _, err := tx.Set("small").Add("m"); return err },
		"large": func(tx *siltstone.Tx) error { _, err := tx.Hash("large").Set("f", []byte("w")); return err },
		"new":   func(tx *siltstone.Tx) error { _, err := tx.Hash("new").Set("f", []byte(large)); return err },
	} {
		tx := begin(t, s)
		ok(t, errors.Join(tx.Put([]byte("k"), nil), write(tx)))
		if _, err := tx.WriteSet(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
		ok(t, tx.Commit()) // it is no failure
		if _, err := tx.WriteSet(); !errors.Is(err, siltstone.ErrTxDone) {
			t.Errorf("%s: after the commit %v", name, err)
		}
	}
}
