package siltstone

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

func TestMetricsTellWhatTheDeadHold(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, Durability: Buffered})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var fields []typed.Field
	for i := range 10_000 {
		fields = append(fields, typed.Field{Name: fmt.Sprintf("field %05d", i), Value: make([]byte, 50)})
	}
	_, err = db.Hash("h").SetMany(fields...)
	must(err)
	must(db.Flush(context.Background()))
	if m := db.Metrics(); m.Dead.Bytes != 0 || m.Dead.Collections != 0 || m.Tables.Count == 0 || m.Tables.Bytes == 0 || m.Flushes.Bytes == 0 {
		t.Errorf("while it lives: %+v", m)
	}
	held := db.Metrics().Tables.Bytes
	_, err = db.Key("h").Drop()
	must(err)
	if m := db.Metrics(); m.Dead.Collections != 1 || m.Dead.Bytes < held/2 {
		t.Errorf("dropped, of %d bytes: %+v", held, m)
	}
	if _, err := db.reapStep(); err != nil {
		t.Fatal(err)
	}
	if m := db.Metrics(); m.Dead.Collections != 0 || m.Dead.Bytes < held/2 {
		t.Errorf("decided, of %d bytes: %+v", held, m)
	}
	must(db.Flush(context.Background()))
	must(db.step())
	if m := db.Metrics(); m.Dead.Bytes != 0 || m.Tables.Bytes > held/10 {
		t.Errorf("merged away: %+v", m)
	}
}

func TestMetricsCountDroppedKeyspacesAmongTheDead(t *testing.T) {
	for what, drop := range map[string]func(db *DB) error{
		"DropKeyspace": func(db *DB) error { return db.DropKeyspace("ks") },
		"DropAll":      (*DB).DropAll,
		"DropKeyspace with a range delete inside": func(db *DB) error {
			ks, err := db.CreateKeyspace("ks")
			if err != nil {
				return err
			}
			return errors.Join(ks.DeleteRange(Prefix([]byte("key 0001"))), db.DropKeyspace("ks"))
		},
	} {
		db := mustOpen(t, vfs.NewMem(), newHandClock())
		ks, err := db.CreateKeyspace("ks")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2000 {
			if err := ks.Put(fmt.Appendf(nil, "key %05d", i), make([]byte, 50)); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Flush(bg); err != nil {
			t.Fatal(err)
		}
		m := db.Metrics()
		held := m.Tables.Bytes
		if m.Dead.Bytes != 0 || held == 0 {
			t.Errorf("%s: while it is there: %+v", what, m.Dead)
		}
		if err := drop(db); err != nil {
			t.Fatal(err)
		}
		if m := db.Metrics(); m.Dead.Bytes < held/2 || m.Dead.Bytes > held {
			t.Errorf("%s: dropped, of %d bytes: %+v", what, held, m.Dead)
		}
		if err := errors.Join(db.Flush(bg), db.step()); err != nil {
			t.Fatal(err)
		}
		if m := db.Metrics(); m.Dead.Bytes != 0 {
			t.Errorf("%s: merged away: %+v", what, m.Dead)
		}
		mustClose(t, db)
	}
}
