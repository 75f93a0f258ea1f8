package docs

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/codec"
	"github.com/siltstonedb/siltstone/debughttp"
	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/explain"
	"github.com/siltstonedb/siltstone/metrics"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// What docs/api.md says of misuse: it is an error, never a panic.

func TestNoMethodPanicsOnZeroArgumentsOrOnZeroAndNilReceivers(t *testing.T) {
	db := openInMemory()
	defer db.Close()
	receivers := misusedReceivers(db)
	for _, name := range slices.Sorted(maps.Keys(receivers)) {
		typ := reflect.TypeOf(receivers[name]())
		for _, argument := range []func(reflect.Type) reflect.Value{reflect.Zero, plausible} {
			for i := range typ.NumMethod() {
				of := receivers[name]()
				callMisused(t, name+"."+typ.Method(i).Name, reflect.ValueOf(of).Method(i), argument)
				end(of)
			}
		}
		if of := receivers[name](); typ.NumMethod() > 0 {
			end(of)
		}
	}
}

func openInMemory() *siltstone.DB {
	return must(siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()}))
}

// misusedReceivers returns what has methods: handles that work, nil ones and zero values.
// Each is made anew for every method, for some of them end it.
func misusedReceivers(db *siltstone.DB) map[string]func() any {
	receivers := map[string]func() any{
		"DB":       func() any { return openInMemory() },
		"Keyspace": func() any { return must(db.CreateKeyspace("ks")) },
		"Tx":       func() any { return must(db.Begin(context.Background(), siltstone.ReadWriteMode)) },
		"Snapshot": func() any { return must(db.NewSnapshot()) },
		"Iterator": func() any { return must(db.NewIter(nil)) },
	}
	for _, p := range []any{
		(*siltstone.DB)(nil), (*siltstone.Keyspace)(nil), (*siltstone.Tx)(nil), (*siltstone.Snapshot)(nil),
		(*siltstone.Iterator)(nil), (*siltstone.Batch)(nil), (*siltstone.CorruptionError)(nil),
		(*siltstone.ConflictError)(nil), (*codec.DecodeError)(nil), (*changes.TooOldError)(nil), (*changes.Commit)(nil),
		(*archive.Reader)(nil), (*archive.Writer)(nil), (*vfs.Mem)(nil),
	} {
		typ := reflect.TypeOf(p)
		receivers["nil "+typ.Elem().String()] = func() any { return p }
		receivers["zero "+typ.Elem().String()] = func() any { return reflect.New(typ.Elem()).Interface() }
	}
	for _, v := range []any{
		typed.Keys{}, typed.Key{}, typed.String{}, typed.Hash{}, typed.Set{}, typed.ZSet{}, typed.List{}, typed.ZRange{},
		typed.BitRange{}, typed.Type(0), typed.Type(99), typed.Cond(0), typed.Cond(255), typed.End(99), changes.Keep{}, changes.Kind(99), changes.Position{}, archive.Mark{}, archive.Summary{},
		siltstone.LostPart{}, siltstone.IterOptions{}, metrics.Cache{}, metrics.Figure{}, debughttp.Report{},
		codec.Map[string, string]{}, codec.Set[string]{}, codec.ZSet[string]{}, codec.PairKey[int, int]{},
		codec.TripleKey[int, int, int]{}, codec.QuadKey[int, int, int, int]{}, codec.AsValue[int](nil),
		typed.Range{}, codec.Range[string]{}, siltstone.Range{}, siltstone.Durability(99), siltstone.Compression(99), explain.Explanation{}, explain.Version{}, explain.Verdict{}, explain.Collection{}, metrics.Metrics{},
		siltstone.OpenHandle{}, metrics.Latency{}, metrics.Memory{}, metrics.Disk{}, siltstone.RepairReport{},
		event.FlushEnd{}, event.CompactionEnd{}, event.StallBegin{}, event.StallEnd{}, event.TornTail{}, event.Recovered{}, event.Corruption{},
		event.RemoveFailed{}, event.Poisoned{}, event.NoSpace{}, event.SlowSync{}, event.Reaped{}, event.OldReader{},
	} {
		of := reflect.New(reflect.TypeOf(v)) // a pointer has the methods of the value too
		of.Elem().Set(reflect.ValueOf(v))
		receivers["zero "+reflect.TypeOf(v).String()] = of.Interface
	}
	receivers["a figure"] = func() any { return metrics.Figures()[0] }
	for i, v := range []any{
		db.Keys(), db.Key("k"), db.String("s"), db.Hash("h"), db.Set("set"), db.ZSet("z"), db.List("l"),
		codec.MapOf(db.Hash("h"), codec.String, codec.Text), codec.SetOf(db.Set("set"), codec.String), codec.ZSetOf(db.ZSet("z"), codec.String),
		codec.MapOf[string, string](db.Hash("h"), nil, nil), codec.SetOf[string](db.Set("set"), nil), codec.ZSetOf[string](db.ZSet("z"), nil),
		codec.SetOf(db.Set("set"), codec.Tuple2[int, int](nil, nil)), codec.SetOf(db.Set("set"), codec.PairKey[int, int]{}),
	} {
		receivers[fmt.Sprintf("%d: %T", i, v)] = func() any { return v }
	}
	return receivers
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

// plausible returns an argument that passes for one: what refuses an empty name does not
// hide what comes behind. A context ends soon, for those who wait; what a function or an
// interface would be is nil.
func plausible(typ reflect.Type) reflect.Value {
	v := reflect.New(typ).Elem()
	switch {
	case typ == reflect.TypeFor[context.Context]():
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		context.AfterFunc(ctx, cancel)
		v.Set(reflect.ValueOf(ctx))
	case typ.Kind() == reflect.String:
		v.SetString("x")
	case typ.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(1)
	case v.CanUint():
		v.SetUint(1)
	case v.CanFloat():
		v.SetFloat(1)
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Uint8:
		v.SetBytes([]byte("x"))
	}
	return v
}

// callMisused calls a function with what argument returns for each of its arguments, walks
// the loop that it returns, if it does, and lets go of the rest.
func callMisused(t *testing.T, name string, function reflect.Value, argument func(reflect.Type) reflect.Value) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s panics: %v", name, p)
		}
	}()
	var args []reflect.Value
	for i := range function.Type().NumIn() {
		in := function.Type().In(i)
		if i == function.Type().NumIn()-1 && function.Type().IsVariadic() {
			in = in.Elem()
		}
		args = append(args, argument(in))
	}
	for _, result := range function.Call(args) {
		if result.Kind() == reflect.Func && result.Type().CanSeq2() {
			for range result.Seq2() {
				break
			}
		}
		if result.Kind() == reflect.Pointer && !result.IsNil() || result.Kind() == reflect.Interface && !result.IsNil() {
			switch of := result.Interface().(type) {
			case http.Handler:
				of.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			case io.Closer:
				of.Close()
			default:
				end(of)
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
