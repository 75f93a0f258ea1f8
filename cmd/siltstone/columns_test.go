package main

import (
	"strings"
	"testing"
)

func TestLinesAreCutAtTheEdgeOfATerminal(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"siltstone", 0, "siltstone"},
		{"siltstone", 9, "siltstone"},
		{"siltstone", 8, "siltsto…"},
		{"siltstone", 1, "…"},
		{"粉砂岩", 6, "粉砂岩"},
		{"粉砂岩", 5, "粉砂…"},
		{"粉砂岩", 4, "粉…"},
		{"e\u0301e\u0301", 2, "e\u0301e\u0301"},
		{"", 3, ""},
	} {
		if got := cut(c.text, c.width); got != c.want {
			t.Errorf("%q in %d columns: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

func TestColumnsAreAlignedWhateverTheScript(t *testing.T) {
	var screen strings.Builder
	o := newOutput(&screen)
	o.width = 20
	var b table
	b.add("粉砂岩", "1")
	b.add("silt", "2")
	o.table(b)
	_ = o.row([]int{8, 0}, "粉砂岩", "a value that is long")
	_ = o.row([]int{8, 0}, "silt", "粉砂岩粉砂岩粉砂岩")
	_ = o.Flush()
	want := "粉砂岩  1\nsilt    2\n粉砂岩    a value t…\nsilt      粉砂岩粉…\n"
	if screen.String() != want {
		t.Errorf("%s\nwant\n%s", screen.String(), want)
	}
}
