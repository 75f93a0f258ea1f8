package siltstone

import (
	"context"
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
