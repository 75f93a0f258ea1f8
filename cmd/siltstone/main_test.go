package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/backup"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/debughttp"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/spf13/cobra"
)

// TestMain gives the scripts the tool and programs that help them: makestore makes a
// store with keys of each type, holdstore keeps one open for writing, makechanges and
// holdchanges do so with one that keeps its changes, shipstore writes to one and ships that
// to a repository, and makeforeign makes stores of other engines.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"siltstone":   main,
		"makestore":   func() { exit(makeStore(os.Args[1])) },
		"holdstore":   func() { exit(holdStore(os.Args[1])) },
		"makechanges": func() { exit(makeChanges(os.Args[1])) },
		"holdchanges": func() { exit(holdChanges(os.Args[1])) },
		"shipstore":   func() { exit(shipStore(os.Args[1], os.Args[2])) },
		"makeforeign": func() { exit(makeForeign(os.Args[1])) },
	})
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// shipStore writes a value to a store that keeps changes, ships what is not shipped yet to a
// repository, behind a backup if there is none, and writes the position.
func shipStore(dir, repository string) (err error) {
	db, err := siltstone.Open(dir, &siltstone.Options{KeepChanges: changes.Keep{Bytes: 1 << 20}})
	if err != nil {
		return err
	}
	defer closing(db, &err)
	r, err := backup.Open(backup.Dir(repository), nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	all, err := r.List(ctx)
	if err == nil && len(all) == 0 {
		_, err = r.Run(ctx, db, nil)
	}
	if err != nil {
		return err
	}
	if _, err := db.String("shipped").Incr(1); err != nil {
		return err
	}
	want := db.Position()
	err = r.Ship(ctx, db, &backup.ShipOptions{Every: time.Millisecond, Shipped: func(s backup.Shipped) {
		if s.Position == want {
			cancel()
		}
	}})
	if ctx.Err() == nil {
		return err
	}
	fmt.Print(want)
	return nil
}

// TestScripts runs the tool end to end: testdata/script has what is done and what must come
// of it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true, ContinueOnError: true,
		Setup: func(env *testscript.Env) error {
			stores, err := filepath.Abs("../../testdata/stores")
			if err != nil {
				return err
			}
			env.Setenv("STORES", stores) // of each format that was ever written
			rdb, err := filepath.Abs("internal/rdb/testdata/redis7.rdb")
			env.Setenv("RDB", rdb)
			return err
		},
	})
}

// holdStore opens a store for writing, writes the address of its page of figures to a file,
// and holds it until that file has gone.
func holdStore(dir string) (err error) {
	db, err := siltstone.Open(dir, nil)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	mux := http.NewServeMux()
	mux.Handle("/{$}", debughttp.Handler(db))
	page := httptest.NewServer(mux)
	defer page.Close()
	if err := os.WriteFile(dir+".held", []byte(page.URL+"/"), 0o600); err != nil {
		return err
	}
	for {
		if _, err := os.Stat(dir + ".held"); err != nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// farAway is a deadline that no test lives to see.
var farAway = time.Date(2200, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

// makeStore makes a store with keys of each type, and with what is easily got wrong: bytes
// that are no text, empty values, long collections, infinite scores, deadlines.
func makeStore(dir string) (err error) {
	db, err := siltstone.Open(dir, nil)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	tenant, err := db.CreateKeyspace("tenant")
	if err != nil {
		return err
	}
	for _, name := range []string{"empty", "\xff\x00odd"} {
		if _, err := db.CreateKeyspace(name); err != nil {
			return err
		}
	}
	return db.Update(context.Background(), func(tx *siltstone.Tx) error {
		w := &filler{}
		w.strings(tx)
		w.collections(tx)
		in := tx.In(tenant)
		w.do(in.Put([]byte("user:1"), []byte("Bob")))
		w.n(in.ZSet("user:board").Add("x", 1))
		return w.err
	})
}

// filler keeps the first error of calls that put something in.
type filler struct{ err error }

func (w *filler) do(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *filler) n(_ any, err error) { w.do(err) }

func (w *filler) strings(tx *siltstone.Tx) {
	w.do(tx.Put([]byte("user:1"), []byte("Ada")))
	w.do(tx.Put([]byte("user:2"), []byte("Grace Hopper")))
	w.do(tx.Put([]byte("\x00\xff bin"), []byte("\x1b[31mred\xfe")))
	w.do(tx.Put([]byte("blank"), nil))
	w.do(tx.Put([]byte(`"quoted"`), []byte("line\nline")))
	w.do(tx.Put([]byte("temp"), []byte("soon gone")))
	w.do(tx.Key("temp").ExpireAt(farAway))
}

func (w *filler) collections(tx *siltstone.Tx) {
	h := tx.Hash("hash")
	w.n(h.SetMany(typed.Field{Name: "name", Value: []byte("Ada")}, typed.Field{Name: "", Value: nil}, typed.Field{Name: "\xff", Value: []byte("\x00")}))
	w.n(h.ExpireFieldsAt(farAway, 0, "name"))
	w.n(tx.Set("set").Add("a", "b", "\xfe", ""))
	w.n(tx.Set("set").ExpireMembersAt(farAway, 0, "b"))
	w.do(tx.Key("set").ExpireAt(farAway.Add(time.Hour)))
	w.n(tx.ZSet("zset").AddMany(0, typed.Member{Name: "low", Score: math.Inf(-1)}, typed.Member{Name: "high", Score: math.Inf(1)},
		typed.Member{Name: "tenth", Score: 0.1}, typed.Member{Name: "third", Score: 1.0 / 3}, typed.Member{Name: "tiny", Score: math.SmallestNonzeroFloat64}))
	w.n(tx.ZSet("zset").ExpireMembersAt(farAway, 0, "third"))
	w.n(tx.List("list").PushBack([]byte("one"), []byte("two"), []byte(""), []byte("\xff"), []byte("two")))
	for i := range 3000 {
		w.n(tx.Hash("longhash").Set(fmt.Sprintf("field%05d", i), fmt.Appendf(nil, "%d", i)))
		w.n(tx.List("longlist").PushBack(fmt.Appendf(nil, "item %d", i)))
		w.n(tx.ZSet("longzset").Add(fmt.Sprintf("m%05d", i), float64(i%7)/3))
		w.n(tx.Set("longset").Add(fmt.Sprintf("s%05d", i)))
	}
	w.n(tx.Hash("longhash").ExpireFieldsAt(farAway, 0, "field00007", "field02999"))
}

// TestEveryCommandHasHelpWithTwoExamples also looks that no line of help is wider than a
// terminal.
func TestEveryCommandHasHelpWithTwoExamples(t *testing.T) {
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		if strings.Count(cmd.Example, "  siltstone ")+strings.Count(cmd.Example, "(siltstone ")+strings.Count(cmd.Example, "| siltstone ") < 2 {
			t.Errorf("%s has fewer than two examples:\n%s", cmd.CommandPath(), cmd.Example)
		}
		if cmd.Long == "" || cmd.Short == "" {
			t.Errorf("%s has no help", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Long + "\n" + cmd.UsageString()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
				t.Errorf("%s: a line of %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	look(newTool(nil, io.Discard, io.Discard).root())
}

// TestEveryCommandIsInTheDocument looks for it in the table of docs/tool.md.
func TestEveryCommandIsInTheDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/tool.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range newTool(nil, io.Discard, io.Discard).commands() {
		all := cmd.Commands()
		if len(all) == 0 {
			all = []*cobra.Command{cmd}
		}
		for _, c := range all {
			name := strings.TrimSpace(strings.TrimPrefix(c.CommandPath(), "siltstone"))
			if !strings.Contains(string(text), "| `"+name) {
				t.Errorf("docs/tool.md has no line of %s", name)
			}
		}
	}
}
