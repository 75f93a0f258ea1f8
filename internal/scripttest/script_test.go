package scripttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
)

// read makes a script of text.
func read(t *testing.T, text string) *Script {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.txt")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// knobs leave the store as it is: these tests need no work of its background.
var knobs = Knobs{Configure: func(*siltstone.Options, Sizes) {}}

func TestUpdateTakesTheAnswersAndLeavesTheRest(t *testing.T) {
	s := read(t, "# Said first.\n\nopen\nput \"a b\" \"\\x00\"\nscan\n    wrong\n    and old\nget none\nget \"\"\n# Said last.\n")
	s.Run(t, "", true, knobs)
	const want = "# Said first.\n\nopen\nput \"a b\" \"\\x00\"\nscan\n    \"a b\"=\"\\x00\"\nget none\n    not found\nget \"\"\n    error: empty key\n# Said last.\n"
	if got := s.String(); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	s.Run(t, "", false, knobs) // which compares
}

func TestScriptsThatMakeNoSenseAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"jump":            `no command "jump"`,
		"db:":             "no command",
		"get":             "the form is: get KEY",
		"get a b":         "the form is: get KEY",
		"none: get a":     `nothing is called "none"`,
		"t/none: get a":   `no keyspace is called "none"`,
		"commit":          `"" cannot do that`,
		"s: put a 1":      `"s" cannot do that`,
		"scan a":          "neither a prefix",
		"advance soon":    "no duration",
		"put \"a":         "invalid syntax",
		"put \"a\"b c":    "behind a quoted word",
		"walk first":      "cannot do that",
		"open":            "is open",
		"other: open big": `no option "big"`,
		"begin db":        "cannot be a name",
	} {
		run := newSession(knobs, "")
		for _, line := range []string{"open", "snapshot s", "begin t"} {
			if _, err := run.answer(line); err != nil {
				t.Fatal(err)
			}
		}
		if answer, err := run.answer(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %q", text, answer, err, want)
		}
		if err := run.end(); err != nil {
			t.Error(err)
		}
	}
	path := filepath.Join(t.TempDir(), "script.txt")
	if err := os.WriteFile(path, []byte("# comment\n    answer\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "an answer without a command") {
		t.Error(err)
	}
}

func TestWordsAreReadAsTheyAreShown(t *testing.T) {
	for _, word := range []string{"a", "", "a b", "\x00\xff", "k=v", "\"", "-", strings.Repeat("v", 17), strings.Repeat("v", 100_000), "h(hash)"} {
		got, err := split("put " + show([]byte(word)) + "  end")
		if err != nil || len(got) != 3 || got[1] != word || got[2] != "end" {
			t.Errorf("%.30q is read as %.60q, %v", word, got, err)
		}
	}
}

func TestTheDescriptionNamesEveryCommandWithItsForm(t *testing.T) {
	text, err := os.ReadFile("../../testdata/scripts/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Commands() {
		form := strings.TrimSpace("`" + name + " " + commands[name].form)
		if !strings.Contains(string(text), form+"`") {
			t.Errorf("the description lacks %s`", form)
		}
	}
}
