package gosource

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAFileUsesAnotherByTypesMethodsAndFields(t *testing.T) {
	dir := write(t, map[string]string{
		"go.mod": "module example.com/p\n\ngo 1.24\n",
		"a.go":   "package p\n\nimport \"sync/atomic\"\n\ntype A struct{ b atomic.Pointer[B] }\n\nfunc (a *A) n() int { return a.b.Load().n }\n",
		"b.go":   "package p\n\ntype B struct{ n int }\n\nfunc (b *B) up(c C) int { return c.down() }\n",
		"c.go":   "package p\n\ntype C struct{}\n\nfunc (C) down() int { var a A; return a.n() }\n",
		"d.go":   "package p\n\nvar _ = A{}\n",
	})
	g, err := Uses(dir)
	if err != nil {
		t.Fatal(err)
	}
	const want = "map[a.go:map[b.go:2] b.go:map[c.go:2] c.go:map[a.go:2] d.go:map[a.go:1]]"
	if got := fmt.Sprint(g); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := fmt.Sprint(g.Knots()); got != "[[a.go b.go c.go] [d.go]]" {
		t.Errorf("knots %s", got)
	}
}

func TestKnotsAndPairsOfAGraph(t *testing.T) {
	g := Graph{"a": {"b": 1}, "b": {"a": 3, "c": 1}, "c": {"d": 1}, "d": {"e": 1}, "e": {"c": 2}, "f": {"f2": 1}, "f2": {}}
	if got := fmt.Sprint(g.Knots()); got != "[[c d e] [a b] [f2] [f]]" {
		t.Errorf("knots %s", got)
	}
	if got := fmt.Sprint(g.Mutual()); got != "[[a b]]" || g.Arrows() != 7 {
		t.Errorf("pairs %s, %d arrows", got, g.Arrows())
	}
}

func TestFilesFunctionsAndStructsAreMeasured(t *testing.T) {
	dir := write(t, map[string]string{
		"a.go":      "package p\n\ntype S[T any] struct {\n\ta, b int\n\tT\n\tin struct{ x int }\n}\n\nfunc (s *S[T]) m() {\n}\n\nfunc f() { _ = 1 }\n",
		"a_test.go": "package p\n",
	})
	files, err := Measure(dir)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	const want = "12 [{(*S[T]).m 2} {f 1}] [{S 4} {in 1}]"
	if got := fmt.Sprint(files[0].Lines, files[0].Funcs, files[0].Structs); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
