package readstate

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
)

func table(lo, hi string, size uint64) *manifest.Table {
	return &manifest.Table{TableProperties: base.TableProperties{Smallest: []byte(lo), Largest: []byte(hi), Size: size}}
}

func TestTablesLieWhereTheirBytesAre(t *testing.T) {
	for _, c := range []struct {
		name string
		runs []manifest.Run
		want string
	}{
		{"no tables", nil, "[]"},
		{"one key", []manifest.Run{{Tables: []*manifest.Table{table("k", "k", 10)}}}, "[[{0.00 1.00}]]"},
		{"one table", []manifest.Run{{Tables: []*manifest.Table{table("a", "z", 10)}}}, "[[{0.00 1.00}]]"},
		{"two tables, one three times as large", []manifest.Run{{Tables: []*manifest.Table{table("a", "c", 10), table("d", "z", 30)}}},
			"[[{0.00 0.25} {0.25 1.00}]]"},
		{"a small one above two", []manifest.Run{{Tables: []*manifest.Table{table("c", "d", 0)}}, {Tables: []*manifest.Table{table("a", "e", 10), table("f", "z", 10)}}},
			"[[{0.17 0.33}] [{0.00 0.50} {0.50 1.00}]]"},
		{"tables of no bytes", []manifest.Run{{Tables: []*manifest.Table{table("a", "c", 0), table("d", "z", 0)}}}, "[[{0.00 1.00} {0.00 1.00}]]"},
	} {
		places := Places(&manifest.Version{Runs: c.runs})
		got := fmt.Sprintf("%.2f", places)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
