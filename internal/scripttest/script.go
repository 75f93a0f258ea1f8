package scripttest

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// indent stands before every line of an answer.
const indent = "    "

// Script is a file: lines, some of them commands with a golden answer.
type Script struct {
	path  string
	lines []line
}

// line is a command, a comment or an empty line. Only a command has an answer.
type line struct {
	number int
	text   string
	answer []string
}

// Read reads the script in the file called path.
func Read(path string) (*Script, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &Script{path: path}
	for i, t := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		answer, isAnswer := strings.CutPrefix(t, indent)
		last := len(s.lines) - 1
		switch {
		case !isAnswer:
			s.lines = append(s.lines, line{number: i + 1, text: t})
		case last < 0 || !s.lines[last].isCommand():
			return nil, fmt.Errorf("%s:%d: an answer without a command", path, i+1)
		default:
			s.lines[last].answer = append(s.lines[last].answer, answer)
		}
	}
	return s, nil
}

// Write writes the script, with its answers, where it was read.
func (s *Script) Write() error { return os.WriteFile(s.path, []byte(s.String()), 0o644) }

// String returns the script as its file holds it.
func (s *Script) String() string {
	var b strings.Builder
	for _, l := range s.lines {
		fmt.Fprintln(&b, l.text)
		for _, a := range l.answer {
			fmt.Fprintln(&b, indent+a)
		}
	}
	return b.String()
}

func (l *line) isCommand() bool {
	return strings.TrimSpace(l.text) != "" && !strings.HasPrefix(l.text, "#")
}

// Ways returns the ways in which the script is to be run, which all must give the
// same answers: those that its settle lines name, or one.
func (s *Script) Ways() []string {
	var ways []string
	for _, l := range s.lines {
		words := strings.Fields(l.text)
		if len(words) == 0 || words[0] != "settle" {
			continue
		}
		for _, w := range words[1:] {
			if !slices.Contains(ways, w) {
				ways = append(ways, w)
			}
		}
	}
	if ways == nil {
		return []string{""}
	}
	return ways
}

// Forms reports whether the script is to be run with collections in every form
// they can have in the store.
func (s *Script) Forms() bool {
	return slices.ContainsFunc(s.lines, func(l line) bool { return l.text == "forms" })
}
