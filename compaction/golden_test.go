package compaction

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden runs every case of a file: a name behind "#", what is given, "----",
// what comes of it, an empty line.
func golden(t *testing.T, path string, run func(t *testing.T, given []string) string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rewritten []string
	for _, c := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		given, want, _ := strings.Cut(c+"\n", "----\n")
		lines := strings.Split(strings.TrimSpace(given), "\n")
		name := strings.TrimSpace(strings.TrimLeft(lines[0], "# "))
		got := ""
		t.Run(name, func(t *testing.T) {
			facts := lines
			for len(facts) > 0 && strings.HasPrefix(facts[0], "#") {
				facts = facts[1:]
			}
			got = run(t, facts)
			if !*update && strings.TrimSpace(got) != strings.TrimSpace(want) {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", given, got, want)
			}
		})
		rewritten = append(rewritten, strings.TrimSpace(given)+"\n----\n"+strings.TrimSpace(got)+"\n")
	}
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(rewritten, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
