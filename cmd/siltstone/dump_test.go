package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/dump"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/siltstonedb/siltstone/typed"
)

// picture walks a store by its own calls, and not by those of the tool, and returns a line
// for every key and element.
func picture(t *testing.T, db *siltstone.DB) string {
	t.Helper()
	var b strings.Builder
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(d time.Time, err error) string {
		must(err)
		if d.IsZero() {
			return ""
		}
		return fmt.Sprint(" until ", d.UnixMilli())
	}
	names, err := db.Keyspaces()
	must(err)
	for _, name := range append([]string{""}, names...) {
		var s siltstone.ReadWriter = db
		if name != "" {
			s, err = db.Keyspace(name)
			must(err)
		}
		fmt.Fprintf(&b, "keyspace %q\n", name)
		for k, err := range s.Keys().All(typed.KeyOptions{}) {
			must(err)
			kind, err := k.Type()
			must(err)
			fmt.Fprintf(&b, "%q %v%s\n", k.Name(), kind, at(k.Deadline()))
			switch kind {
			case typed.TypeString:
				v, err := s.String(k.Name()).Get()
				must(err)
				fmt.Fprintf(&b, "  %q\n", v)
			case typed.TypeHash:
				for f, err := range s.Hash(k.Name()).All() {
					must(err)
					fmt.Fprintf(&b, "  %q=%q%s\n", f.Name, f.Value, at(s.Hash(k.Name()).FieldDeadline(f.Name)))
				}
			case typed.TypeSet:
				for m, err := range s.Set(k.Name()).All() {
					must(err)
					fmt.Fprintf(&b, "  %q%s\n", m, at(s.Set(k.Name()).MemberDeadline(m)))
				}
			case typed.TypeZSet:
				for m, err := range s.ZSet(k.Name()).All() {
					must(err)
					fmt.Fprintf(&b, "  %q %x%s\n", m.Name, math.Float64bits(m.Score), at(s.ZSet(k.Name()).MemberDeadline(m.Name)))
				}
			case typed.TypeList:
				for v, err := range s.List(k.Name()).Range(0, -1) {
					must(err)
					fmt.Fprintf(&b, "  %q\n", v)
				}
			}
		}
	}
	return b.String()
}

// scatter fills a store at random: any bytes, all types, long collections, deadlines.
func scatter(t *testing.T, dir string, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	db, err := siltstone.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	word := func(least int) []byte {
		b := make([]byte, least+r.IntN(6))
		for i := range b {
			b[i] = byte(r.Uint32())
			if r.IntN(2) == 0 {
				b[i] = "abc\"\\\n<>"[r.IntN(8)]
			}
		}
		return b
	}
	spaces := []*siltstone.Keyspace{nil}
	for range 3 {
		ks, err := db.CreateKeyspace(string(word(1)))
		if err != nil {
			t.Fatal(err)
		}
		spaces = append(spaces, ks)
	}
	err = db.Update(context.Background(), func(tx *siltstone.Tx) error {
		w := &filler{}
		for i := range 300 {
			in := tx.In(spaces[r.IntN(len(spaces))])
			key, n := string(word(1))+fmt.Sprint(i), 1+r.IntN(10)
			if r.IntN(12) == 0 {
				n = 2500
			}
			when := farAway.Add(time.Duration(r.IntN(1e6)) * time.Millisecond)
			kind := typed.Type(1 + r.IntN(5))
			for range n {
				switch name := string(word(0)); kind {
				case typed.TypeString:
					w.do(in.Put([]byte(key), word(0)))
				case typed.TypeHash:
					w.n(in.Hash(key).Set(name, word(0)))
					if r.IntN(5) == 0 {
						w.n(in.Hash(key).ExpireFieldsAt(when, 0, name))
					}
				case typed.TypeSet:
					w.n(in.Set(key).Add(name))
					if r.IntN(5) == 0 {
						w.n(in.Set(key).ExpireMembersAt(when, 0, name))
					}
				case typed.TypeZSet:
					score := math.Float64frombits(r.Uint64())
					if score != score {
						score = math.Inf(-1)
					}
					w.n(in.ZSet(key).Add(name, score))
					if r.IntN(5) == 0 {
						w.n(in.ZSet(key).ExpireMembersAt(when, 0, name))
					}
				case typed.TypeList:
					w.n(in.List(key).PushFront(word(0)))
				}
			}
			if r.IntN(3) == 0 {
				w.do(in.Key(key).ExpireAt(when))
			}
		}
		return w.err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dumped returns what dump writes of a store, and the picture of the store.
func dumped(t *testing.T, dir string) (text []byte, pict string) {
	t.Helper()
	db, err := siltstone.Open(dir, &siltstone.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var b bytes.Buffer
	d := dump.NewWriter(&b, time.UnixMilli(1))
	for e, err := range entry.Walk(context.Background(), db) {
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), picture(t, db)
}

func TestALoadedDumpIsTheSameStore(t *testing.T) {
	for seed := range uint64(2) {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		scatter(t, from, seed)
		text, want := dumped(t, from)
		r, err := dump.NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		tl := newTool(nil, io.Discard, io.Discard)
		p := tl.progress("load", "B", 0)
		if err := tl.load(context.Background(), to, false, p, r); err != nil {
			t.Fatal(err)
		}
		p.End()
		again, got := dumped(t, to)
		if got != want {
			t.Fatalf("seed %d: the store that was loaded differs:\n%s\nwant\n%s", seed, got, want)
		}
		if !bytes.Equal(text, again) {
			t.Errorf("seed %d: the dump of what was loaded differs", seed)
		}
	}
}

// TestADamagedDumpIsKnown cuts a dump at every byte and changes every byte.
func TestADamagedDumpIsKnown(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db, err := siltstone.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &filler{}
	w.do(db.Put([]byte("a"), []byte("1")))
	w.n(db.ZSet("z").Add("m", math.Inf(1)))
	w.n(db.Hash("h").SetTTL("f", []byte("\xff"), 1e6*time.Hour))
	w.do(db.Close())
	if w.err != nil {
		t.Fatal(w.err)
	}
	text, _ := dumped(t, dir)
	for i := range text {
		if err := readDump(text[:i]); err == nil || i > 40 && !errors.Is(err, dump.ErrDamaged) {
			t.Fatalf("a dump cut at byte %d of %d is read: %v", i, len(text), err)
		}
		changed := bytes.Clone(text)
		changed[i] ^= 0x11
		if err := readDump(changed); err == nil {
			t.Fatalf("a dump with another byte %d is read: %s", i, changed)
		}
	}
	if err := readDump(append(bytes.Clone(text), "{}\n"...)); !errors.Is(err, dump.ErrDamaged) {
		t.Errorf("with a line behind the end: %v", err)
	}
	if err := readDump(text); err != nil {
		t.Error(err)
	}
}

func readDump(text []byte) error {
	r, err := dump.NewReader(bytes.NewReader(text))
	for err == nil {
		_, err = r.Next()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

func FuzzDump(f *testing.F) {
	f.Add([]byte(`{"siltstone_dump":1}` + "\n" + `{"key":"z","type":"zset","members":[{"member64":"/w==","score":"-inf","expires":5}]}` + "\n"))
	f.Fuzz(func(_ *testing.T, b []byte) { _ = readDump(b) })
}
