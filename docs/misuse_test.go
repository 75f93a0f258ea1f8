package docs

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/codec"
	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/explain"
	"github.com/siltstonedb/siltstone/metrics"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// What docs/api.md says of misuse: it is an error, never a panic.

func TestNoMethodPanicsOnZeroArgumentsOrOnZeroAndNilReceivers(t *testing.T) {
	open := func() *siltstone.DB { return must(siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})) }
	db := open()
	defer db.Close()
	// Each is made anew for every method: some of them end it.
	receivers := map[string]func() any{
		"DB":       func() any { return open() },
		"Keyspace": func() any { return must(db.CreateKeyspace("ks")) },
		"Tx":       func() any { return must(db.Begin(context.Background(), siltstone.ReadWriteMode)) },
		"Snapshot": func() any { return must(db.NewSnapshot()) },
		"Iterator": func() any { return must(db.NewIter(nil)) },
	}
	for _, p := range []any{
		(*siltstone.DB)(nil), (*siltstone.Keyspace)(nil), (*siltstone.Tx)(nil), (*siltstone.Snapshot)(nil),
		(*siltstone.Iterator)(nil), (*siltstone.Batch)(nil), (*siltstone.CorruptionError)(nil),
		(*siltstone.ConflictError)(nil), (*codec.DecodeError)(nil),
	} {
		typ := reflect.TypeOf(p)
		receivers["nil "+typ.Elem().String()] = func() any { return p }
		receivers["zero "+typ.Elem().String()] = func() any { return reflect.New(typ.Elem()).Interface() }
	}
	for _, v := range []any{
		typed.Keys{}, typed.Key{}, typed.String{}, typed.Hash{}, typed.Set{}, typed.ZSet{}, typed.List{}, typed.ZRange{},
		typed.BitRange{}, typed.Type(0), typed.Type(99), typed.Cond(0), typed.Cond(255), typed.End(99),
		codec.Map[string, string]{}, codec.Set[string]{}, codec.ZSet[string]{}, codec.PairKey[int, int]{},
		codec.TripleKey[int, int, int]{}, codec.QuadKey[int, int, int, int]{}, codec.AsValue[int](nil),
		typed.Range{}, codec.Range[string]{}, siltstone.Range{}, siltstone.Durability(99), siltstone.Compression(99), explain.Explanation{}, explain.Version{}, explain.Verdict{}, explain.Collection{}, metrics.Metrics{},
		siltstone.OpenHandle{}, metrics.Latency{}, metrics.Memory{}, metrics.Disk{}, siltstone.RepairReport{},
		event.FlushEnd{}, event.CompactionEnd{}, event.StallBegin{}, event.StallEnd{}, event.TornTail{}, event.Recovered{}, event.Corruption{},
		event.RemoveFailed{}, event.Poisoned{}, event.NoSpace{}, event.SlowSync{}, event.Reaped{},
	} {
		receivers["zero "+reflect.TypeOf(v).String()] = func() any { return v }
	}
	receivers["zero vfs.Mem"] = func() any { return new(vfs.Mem) }
	for i, v := range []any{
		db.Keys(), db.Key("k"), db.String("s"), db.Hash("h"), db.Set("set"), db.ZSet("z"), db.List("l"),
		codec.MapOf(db.Hash("h"), codec.String, codec.Text), codec.SetOf(db.Set("set"), codec.String), codec.ZSetOf(db.ZSet("z"), codec.String),
		codec.MapOf[string, string](db.Hash("h"), nil, nil), codec.SetOf[string](db.Set("set"), nil), codec.ZSetOf[string](db.ZSet("z"), nil),
		codec.SetOf(db.Set("set"), codec.Tuple2[int, int](nil, nil)), codec.SetOf(db.Set("set"), codec.PairKey[int, int]{}),
	} {
		receivers[fmt.Sprintf("%d: %T", i, v)] = func() any { return v }
	}
	for _, name := range slices.Sorted(maps.Keys(receivers)) {
		typ := reflect.TypeOf(receivers[name]())
		for i := range typ.NumMethod() {
			of := receivers[name]()
			callWithZeros(t, name, typ.Method(i).Name, reflect.ValueOf(of).Method(i))
			end(of)
		}
		if of := receivers[name](); typ.NumMethod() > 0 {
			end(of)
		}
	}
}

// end lets go of a receiver.
func end(of any) {
	switch of := of.(type) {
	case *siltstone.Tx:
		of.Rollback()
	case *siltstone.Snapshot:
		of.Close()
	case *siltstone.Iterator:
		of.Close()
	case *siltstone.DB:
		of.Close()
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// callWithZeros calls a method with the zero value of each argument, and of each
// element of a list of arguments, and walks the loop that it returns, if it does.
func callWithZeros(t *testing.T, of, name string, method reflect.Value) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s.%s panics: %v", of, name, p)
		}
	}()
	var args []reflect.Value
	for i := range method.Type().NumIn() {
		in := method.Type().In(i)
		if i == method.Type().NumIn()-1 && method.Type().IsVariadic() {
			in = in.Elem()
		}
		args = append(args, reflect.Zero(in))
	}
	for _, result := range method.Call(args) {
		if result.Kind() == reflect.Func && result.Type().CanSeq2() {
			for range result.Seq2() {
				break
			}
		}
	}
}

// A nil receiver of a store's handles does not pass as one that works.
func TestCallsOfNilReceiversAnswerWithAnError(t *testing.T) {
	var (
		ks *siltstone.Keyspace
		tx *siltstone.Tx
		s  *siltstone.Snapshot
		it *siltstone.Iterator
		b  *siltstone.Batch
	)
	db := must(siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()}))
	defer db.Close()
	b.Put([]byte("k"), nil)
	_, ksGet := ks.Get([]byte("k"))
	_, ksAdd := ks.Set("s").Add("m")
	_, txGet := tx.Get([]byte("k"))
	_, txAdd := tx.Set("s").Add("m")
	_, sGet := s.Get([]byte("k"))
	_, sLen := s.Set("s").Len()
	var zero siltstone.Batch
	zero.In(new(siltstone.Keyspace)).Put([]byte("k"), nil)
	for what, err := range map[string]error{
		"Keyspace.Get": ksGet, "Keyspace.Put": ks.Put([]byte("k"), nil), "Keyspace.Set": ksAdd,
		"Tx.Get": txGet, "Tx.Put": tx.Put([]byte("k"), nil), "Tx.Set": txAdd, "Tx.Commit": tx.Commit(),
		"Snapshot.Get": sGet, "Snapshot.Set": sLen, "Iterator.Err": it.Err(), "Iterator.Close": it.Close(),
		"Batch.Err": b.Err(), "Batch.In.Err": b.In(nil).Err(), "Apply": db.Apply(b, siltstone.DefaultDurability),
		"Apply of what went to a zero Keyspace": db.Apply(&zero, siltstone.DefaultDurability),
	} {
		if err == nil {
			t.Errorf("%s of nil is no error", what)
		}
	}
	if it.Next() || it.First() || it.Valid() || it.Key() != nil || b.Len() != 0 || b.Size() != 0 {
		t.Error("a nil iterator or batch has something")
	}
}
