package typed_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// drawsOf returns every way of drawing n elements, below 0 as Random takes it, of the
// set s and the hash h. What Pop removes is put back.
func drawsOf(db *fakeDB, n int) map[string]func() ([]string, error) {
	draws := map[string]func() ([]string, error){
		"Set.Random": func() ([]string, error) { return db.Set("s").Random(n) },
		"Hash.Random": func() (names []string, err error) {
			fields, err := db.Hash("h").Random(n)
			for _, f := range fields {
				names = append(names, f.Name)
				if string(f.Value) != f.Name {
					err = errors.Join(err, fmt.Errorf("field %q has value %q", f.Name, f.Value))
				}
			}
			return names, err
		},
	}
	if n >= 0 {
		draws["Set.Pop"] = func() (popped []string, err error) {
			err = db.Update(func(tx typedtest.API) error { popped, err = tx.Set("s").Pop(n); return errors.Join(err, errRollback) })
			if errors.Is(err, errRollback) {
				err = nil
			}
			return popped, err
		}
	}
	return draws
}

// newDrawn returns a store with a set and a hash of n elements each.
func newDrawn(t *testing.T, n int) (*fakeDB, []string) {
	db := newFake(t, 7)
	var names []string
	var fields []typed.Field
	for i := range n {
		names = append(names, fmt.Sprintf("%05d", i))
		fields = append(fields, typed.Field{Name: names[i], Value: []byte(names[i])})
	}
	must[int](t)(db.Set("s").Add(names...))
	must[int](t)(db.Hash("h").SetMany(fields...))
	return db, names
}

func TestADrawFromALargeCollectionIsNoWalk(t *testing.T) {
	db, names := newDrawn(t, 2000)
	for _, n := range []int{1, 5, -5} {
		for name, draw := range drawsOf(db, n) {
			for range 100 {
				db.steps = 0
				got := must[[]string](t)(draw())
				if len(got) != max(n, -n) || db.steps > 2*len(got)+2 {
					t.Fatalf("%s(%d) gives %q in %d steps", name, n, got, db.steps)
				}
				for i, m := range got {
					if !slices.Contains(names, m) || n > 0 && slices.Contains(got[:i], m) {
						t.Fatalf("%s(%d) gives %q", name, n, got)
					}
				}
			}
		}
	}
}

// TestDrawsThatAWalkServesBetterWalk: of few elements, and of a good part of many.
func TestDrawsThatAWalkServesBetterWalk(t *testing.T) {
	for _, c := range []struct{ size, n int }{{100, 1}, {100, -1}, {2000, 200}, {2000, -200}, {2000, 3000}} {
		db, _ := newDrawn(t, c.size)
		for name, draw := range drawsOf(db, c.n) {
			if got := must[[]string](t)(draw()); len(got) != c.size && len(got) != max(c.n, -c.n) || db.samples > 0 {
				t.Errorf("%s(%d) of %d gives %d in %d samples", name, c.n, c.size, len(got), db.samples)
			}
		}
	}
}

// A sample ends where a walk would be cheaper: then the draw walks.
func TestADrawWhoseSampleEndsWalks(t *testing.T) {
	db, _ := newDrawn(t, 2000)
	for _, ends := range []int{0, 1, 3} {
		db.sampleEnds = func(int) int { return ends }
		for name, draw := range drawsOf(db, 4) {
			got := must[[]string](t)(draw())
			slices.Sort(got)
			if len(slices.Compact(got)) != 4 {
				t.Errorf("%s gives %q when a sample ends after %d", name, got, ends)
			}
		}
		if _, err := db.Keys().Random(); err != nil {
			t.Errorf("Keys.Random when a sample ends after %d: %v", ends, err)
		}
	}
}

func TestNoDrawFromALargeCollectionShowsWhatIsDue(t *testing.T) {
	db, names := newDrawn(t, 1500)
	must[int](t)(db.Set("s").AddTTL(time.Second, names[:1200]...))
	for _, name := range names[:1200] {
		must[bool](t)(db.Hash("h").SetTTL(name, []byte(name), time.Second))
	}
	db.Advance(1000)
	for _, n := range []int{1, 5, -20} {
		for name, draw := range drawsOf(db, n) {
			for range 20 {
				for _, m := range must[[]string](t)(draw()) {
					if m < names[1200] {
						t.Fatalf("%s(%d) gives %s, which is due", name, n, m)
					}
				}
			}
		}
	}
}
