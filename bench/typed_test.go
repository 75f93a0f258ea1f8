package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/golden"
)

func TestTypedNamesAreWhatRedisBenchmarkWrites(t *testing.T) {
	w := &worker{}
	for i, want := range map[uint64]string{
		0: "key:000000000000", 12345: "key:000000012345", 999_999_999_999: "key:999999999999",
	} {
		if got := w.named("key:", i); got != want {
			t.Errorf("%d is %q, want %q", i, got, want)
		}
	}
}

func TestARateIsReadWithTitlesAndWithout(t *testing.T) {
	titles := `"test","rps","avg_latency_ms"` + "\n"
	for _, out := range []string{titles + `"SET key:__rand_int__ a,b","70123.50","0.5"` + "\n", `"SET","70123.50"` + "\n"} {
		if rate, err := readRedisRate([]byte(out)); err != nil || rate != 70.1235 {
			t.Errorf("%q is %v, %v", out, rate, err)
		}
	}
	for _, out := range []string{"", "WARNING\n", `"SET","fast"` + "\n"} {
		if rate, err := readRedisRate([]byte(out)); err == nil {
			t.Errorf("%q is %v", out, rate)
		}
	}
}

func TestTheTypedCallsStoreWhatTheyAreGiven(t *testing.T) {
	if err := proveTyped(filepath.Join(t.TempDir(), "proof")); err != nil {
		t.Error(err)
	}
}

func TestTheProofSeesAValueThatIsNotTheOneWritten(t *testing.T) {
	dir := t.TempDir()
	db, err := openTyped(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, v := &worker{rng: 1}, newValues(typedValue)
	write := db.String(w.named("key:", 7)).Set(v.of(8, 0))
	if err := readTypedProof(db, w, v); write != nil || err == nil || !strings.Contains(err.Error(), "key 7") {
		t.Errorf("%v, %v", write, err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestEveryTypedRowRuns(t *testing.T) {
	var out bytes.Buffer
	task := typedTask{engine: oursTwo, workers: 2, run: 1, n: 500, dir: t.TempDir(), shapes: typedShapes()}
	if err := task.execute(&out); err != nil {
		t.Fatal(err)
	}
	rs, err := readResults(&out)
	if err != nil || len(rs) != len(typedShapes()) {
		t.Fatalf("%d results, %v", len(rs), err)
	}
	for _, r := range rs {
		if r.Err != "" || r.Ops != 500 || r.Value <= 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestAFailedTypedRowIsALine(t *testing.T) {
	task := typedTask{engine: oursOne, workers: 1, n: 5, dir: t.TempDir(), shapes: []typedShape{{
		row:  "set",
		call: func(*siltstone.DB, *worker, uint64, *values) error { return errors.New("broke") },
	}}}
	var out bytes.Buffer
	if err := task.execute(&out); err != nil || !strings.Contains(out.String(), `"Err":"broke"`) {
		t.Errorf("%v: %s", err, &out)
	}
}

func TestTheTypedTableMarksWhatIsLostAndWhatFallsShort(t *testing.T) {
	var rs []result
	row := func(engine, row string, values ...float64) {
		for run, v := range values {
			rs = append(rs, result{Engine: engine, Row: row, Run: run + 1, Unit: perSecond, Value: v, CPU: 1e6 / v, Allocs: 1})
		}
	}
	row(redisPlain, "set", 70, 90, 80)
	row(redisPipelined, "set", 500)
	row(oursTwo, "set", 400)
	row(oursOne, "set", 250)
	row(redisPlain, "incr", 100)
	row(redisPipelined, "incr", 400)
	row(oursTwo, "incr", 450)
	row(oursOne, "incr", 300)
	row(oursOne, "sadd", 200)
	rs = append(rs, result{Engine: redisPlain, Row: "sadd", Run: 1, Err: "broke"})
	m := exampleReport().machine
	var page bytes.Buffer
	newTypedTable(m, "7.0.15", rs).markdown(&page)
	golden.Compare(t, "testdata/typed.md", page.String())
}

func TestTypedIsSkippedWithoutRedis(t *testing.T) {
	dir := t.TempDir()
	if _, err := findRedis(dir); err == nil {
		t.Error("redis was found in an empty folder")
	}
	out := filepath.Join(dir, "out")
	if err := command([]string{"typed", "-quick", "-redis", dir, "-out", out}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("results were written")
	}
}

// A real server, where there is one.
func TestRedisAnswersEveryRow(t *testing.T) {
	p, err := findRedis("")
	if err != nil {
		t.Skip(err)
	}
	rs, err := p.turn(typedEngine{name: redisPipelined, depth: 16}, t.TempDir(), 500, typedShapes())
	if err != nil || len(rs) != len(typedShapes()) {
		t.Fatalf("%d results, %v", len(rs), err)
	}
	for _, r := range rs {
		if r.Err != "" || r.Value <= 0 {
			t.Errorf("%+v", r)
		}
	}
}
