package manifest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/seed"
)

const picture = `L0 #9: 31[c-k]{size=4096,digest=5,minseq=70,maxseq=99,puts=3,dels=2,rangedels=1}
L0 #8: 30[a-x]
L2 #5: 22[a-g]{id=77} 24["h\x00"-z){expiring=4,minexpiry=5,maxexpiry=6}
L6 #1: 11[a-d] 12[e-m) 13[m-z]{meta=1,collbytes=2,keybytes=3,valuebytes=4,shadowed=5}
`

func TestVersionIsReadFromItsPicture(t *testing.T) {
	v := mustParse(t, picture)
	if got := v.String(); got != picture {
		t.Errorf("got\n%s", got)
	}
	if r := v.Runs[2]; r.Age != 5 || r.Level != 2 || r.Tables[0].ID != 77 || string(r.Tables[1].Smallest) != "h\x00" || !r.Tables[1].LargestExclusive {
		t.Errorf("run 5 is %+v", r)
	}
	if v.NewestRun() != 9 || len(v.AllTables()) != 7 || v.AllTables()[0].Num != 31 || v.Runs[0].Size() != 4096 {
		t.Errorf("newest %d, tables %v", v.NewestRun(), v.AllTables())
	}
	if v = mustParse(t, "\n  \n"); len(v.Runs) != 0 || v.NewestRun() != 0 || v.String() != "" {
		t.Errorf("empty picture gives %v", v)
	}
}

func TestImpossiblePicturesAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no colon":                 "L0 #9 31[c-k]",
		"no level":                 "#9: 31[c-k]",
		"no number":                "L0 #9: [c-k]",
		"no end":                   "L0 #9: 31[c-k",
		"no largest":               "L0 #9: 31[c]",
		"strange key":              "L0 #9: 31[c$-k]",
		"unknown property":         "L0 #9: 31[c-k]{sise=5}",
		"property without value":   "L0 #9: 31[c-k]{size}",
		"open brace":               "L0 #9: 31[c-k]{size=1",
		"bounds fall":              "L0 #9: 31[k-c]",
		"nothing in it":            "L0 #9: 31[k-k)",
		"number zero":              "L0 #9: 0[a-c]",
		"level too deep":           "L7 #9: 31[a-c]",
		"sequences fall":           "L0 #9: 31[a-c]{minseq=5,maxseq=4}",
		"expiries fall":            "L0 #9: 31[a-c]{minexpiry=5}",
		"tables overlap":           "L0 #9: 31[a-c] 32[c-d]",
		"tables unsorted":          "L0 #9: 31[g-h] 32[c-d]",
		"empty run":                "L0 #9:",
		"runs out of order":        "L0 #8: 31[a-c]\nL0 #9: 32[a-c]",
		"two runs of one age":      "L0 #9: 31[a-c]\nL0 #9: 32[d-e]",
		"level falls":              "L2 #9: 31[a-c]\nL1 #8: 32[a-c]",
		"table twice":              "L0 #9: 31[a-c]\nL0 #8: 31[a-c]",
		"table id twice":           "L0 #9: 31[a-c]\nL0 #8: 32[a-c]{id=31}",
		"exclusive end does touch": "L0 #9: 31[a-c)  32[b-d]",
	} {
		if v, err := ParseVersion(text); err == nil {
			t.Errorf("%s: no error, version\n%s", name, v)
		}
	}
}

func TestOverlappingTablesOfARun(t *testing.T) {
	r := mustParse(t, "L6 #1: 1[b-d] 2[e-g) 3[g-k] 4[m-m] 5[p-s)").Runs[0]
	for _, c := range []struct {
		lo, hi    string
		exclusive bool
		want      string
	}{
		{"", "", false, "1 2 3 4 5"},
		{"a", "a", false, ""},
		{"a", "b", false, "1"},
		{"a", "b", true, ""},
		{"d", "d", false, "1"},
		{"d0", "e", true, ""},
		{"f", "f", false, "2"},
		{"g", "g", false, "3"},
		{"g", "", false, "3 4 5"},
		{"k", "m", false, "3 4"},
		{"k", "m", true, "3"},
		{"k0", "m", true, ""},
		{"n", "o", false, ""},
		{"s", "", false, ""},
		{"r", "z", true, "5"},
		{"", "c", false, "1"},
	} {
		var lo, hi []byte
		if c.lo != "" {
			lo = []byte(c.lo)
		}
		if c.hi != "" {
			hi = []byte(c.hi)
		}
		var got, slow []string
		for _, tab := range r.Overlaps(lo, hi, c.exclusive) {
			got = append(got, fmt.Sprint(uint64(tab.Num)))
		}
		for _, tab := range r.Tables {
			if tab.Overlaps(lo, hi, c.exclusive) {
				slow = append(slow, fmt.Sprint(uint64(tab.Num)))
			}
		}
		if strings.Join(got, " ") != c.want || strings.Join(slow, " ") != c.want {
			t.Errorf("%q to %q (exclusive %v): %v, one by one %v, want %s", c.lo, c.hi, c.exclusive, got, slow, c.want)
		}
	}
}

func TestEditsLeadFromVersionToVersion(t *testing.T) {
	const from = "L0 #9: 31[c-k]\nL2 #5: 22[a-g] 24[h-z]\nL6 #1: 11[a-d]\n"
	add := func(pictures ...string) (e *Edit) {
		e = &Edit{}
		for _, p := range pictures {
			e.Added = append(e.Added, table(t, p))
		}
		return e
	}
	without := func(e *Edit, nums ...base.FileNum) *Edit {
		e.Removed = nums
		return e
	}
	for _, c := range []struct {
		name string
		edit *Edit
		want string // "" means refused
	}{
		{"nothing", add(), from},
		{"flush", add("L0 #10: 40[a-z]"), "L0 #10: 40[a-z]\n" + from},
		{"flush straight to the bottom", add("L6 #1: 40[e-z]"), "L0 #9: 31[c-k]\nL2 #5: 22[a-g] 24[h-z]\nL6 #1: 11[a-d] 40[e-z]\n"},
		{"run between", add("L1 #7: 40[a-z]"), "L0 #9: 31[c-k]\nL1 #7: 40[a-z]\nL2 #5: 22[a-g] 24[h-z]\nL6 #1: 11[a-d]\n"},
		{"merge of two runs", without(add("L6 #1: 40[a-j]", "L6 #1: 41[k-z]"), 22, 24, 11), "L0 #9: 31[c-k]\nL6 #1: 40[a-j] 41[k-z]\n"},
		{"run goes", without(add(), 31), "L2 #5: 22[a-g] 24[h-z]\nL6 #1: 11[a-d]\n"},
		{"part of a run goes", without(add(), 24), "L0 #9: 31[c-k]\nL2 #5: 22[a-g]\nL6 #1: 11[a-d]\n"},
		{"table moves", without(add("L6 #1: 24[h-z]"), 24), "L0 #9: 31[c-k]\nL2 #5: 22[a-g]\nL6 #1: 11[a-d] 24[h-z]\n"},
		{"run moves down", without(add("L3 #5: 22[a-g]", "L3 #5: 24[h-z]"), 22, 24), "L0 #9: 31[c-k]\nL3 #5: 22[a-g] 24[h-z]\nL6 #1: 11[a-d]\n"},
		{"removed, but absent", without(add(), 99), ""},
		{"removed twice", without(add(), 31, 31), ""},
		{"added, but present", add("L0 #10: 31[a-b]"), ""},
		{"added twice", add("L0 #10: 40[a-b]", "L0 #11: 40[a-b]"), ""},
		{"id is present", add("L0 #10: 40[a-b]{id=11}"), ""},
		{"overlaps in its run", add("L2 #5: 40[g-h)"), ""},
		{"another level than its run", add("L3 #5: 40[za-zb]"), ""},
		{"level falls", add("L1 #4: 40[a-z]"), ""},
	} {
		v := mustParse(t, from)
		next, err := v.Apply(c.edit)
		if v.String() != from {
			t.Errorf("%s: changed the version it was applied to:\n%s", c.name, v)
		}
		if err != nil && c.want != "" || err == nil && next.String() != c.want {
			t.Errorf("%s: %v\n%s", c.name, err, next)
		}
	}
}

func TestUntouchedRunsAreShared(t *testing.T) {
	v := mustParse(t, picture)
	next, err := v.Apply(&Edit{Removed: []base.FileNum{31}})
	must(t, err)
	if &next.Runs[0].Tables[0] != &v.Runs[1].Tables[0] {
		t.Error("run 8 was copied")
	}
}

// TestApplyAgreesWithAModel applies random edits to a version and to a plain
// map of tables.
func TestApplyAgreesWithAModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed.New(t), 2))
	v := &Version{}
	model := map[base.FileNum]*Table{}
	next := base.FileNum(1)
	refused := 0
	for range 2000 {
		e := &Edit{}
		for range rng.IntN(3) {
			level := uint8(rng.IntN(LastLevel + 1))
			lo := []byte{byte('a' + rng.IntN(26))}
			hi := []byte{byte('a' + rng.IntN(26))}
			if bytes.Compare(lo, hi) > 0 {
				lo, hi = hi, lo
			}
			tab := &Table{Num: next, Level: level, Run: uint64(10-level)*10 + uint64(rng.IntN(3))}
			tab.ID, tab.Smallest, tab.Largest = uint64(next), lo, hi
			tab.LargestExclusive = rng.IntN(2) == 0 && !bytes.Equal(lo, hi)
			next++
			e.Added = append(e.Added, tab)
		}
		for n := range model {
			if rng.IntN(8) == 0 {
				e.Removed = append(e.Removed, n)
			}
		}
		after, err := v.Apply(e)
		want := map[base.FileNum]*Table{}
		for n, tab := range model {
			if !slices.Contains(e.Removed, n) {
				want[n] = tab
			}
		}
		for _, tab := range e.Added {
			want[tab.Num] = tab
		}
		if possible := disjoint(want); possible != (err == nil) {
			t.Fatalf("%s on\n%s: %v, the model says %v", e, v, err, possible)
		}
		if err != nil {
			refused++
			continue
		}
		v, model = after, want
		must(t, v.Check())
		if got := v.AllTables(); len(got) != len(model) {
			t.Fatalf("%d tables, the model has %d", len(got), len(model))
		}
		for _, tab := range v.AllTables() {
			if model[tab.Num] != tab {
				t.Fatalf("table %d is not the model's", tab.Num)
			}
		}
	}
	if refused == 0 || refused == 2000 {
		t.Errorf("%d edits were refused", refused)
	}
}

// disjoint reports whether no two tables of a run overlap, looking at all pairs.
func disjoint(tables map[base.FileNum]*Table) bool {
	for _, a := range tables {
		for _, b := range tables {
			if a != b && a.Run == b.Run && a.Overlaps(b.Smallest, b.Largest, b.LargestExclusive) {
				return false
			}
		}
	}
	return true
}
