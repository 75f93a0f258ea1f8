package index

import (
	"slices"
	"testing"
)

func TestLinesJoinedAreTheFile(t *testing.T) {
	tests := map[string][]string{
		"":         {""},
		"\n":       {"", ""},
		"a":        {"a"},
		"a\nb":     {"a", "b"},
		"a\n\nb\n": {"a", "", "b", ""},
	}
	for contents, want := range tests {
		var got []string
		for n, line := range (File{Contents: []byte(contents)}).Lines() {
			if got = append(got, string(line)); n != len(got) {
				t.Errorf("%q: line %d has number %d", contents, len(got), n)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q has lines %q, want %q", contents, got, want)
		}
	}
}
