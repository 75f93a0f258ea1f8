package scripttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone"
)

// command is one word of the language.
type command struct {
	form string // its arguments: KEY must be there, [KEY] may, KEY... any number
	run  func(c *call) (answer string, err error)
}

// call is a command of a script that is being run.
type call struct {
	*session
	target string // what stands before the colon, or empty
	words  []string
}

// commands are the language.
var commands = map[string]command{}

func init() {
	for _, table := range []map[string]command{
		storeCommands, diskCommands, keyCommands, openCommands, keyspaceCommands,
		batchCommands, bulkCommands, hashCommands, setCommands, zsetCommands, listCommands, anyCommands,
	} {
		maps.Copy(commands, table)
	}
}

// Commands returns the names of all commands, in order.
func Commands() []string { return slices.Sorted(maps.Keys(commands)) }

// misuse is a mistake of a script, as opposed to an error that the store answers.
type misuse string

// mistake ends the run: the script makes no sense.
func mistake(format string, args ...any) { panic(misuse(fmt.Sprintf(format, args...))) }

// answer runs a line and returns the answer, line by line.
func (s *session) answer(text string) (lines []string, mistaken error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case misuse:
			mistaken = fmt.Errorf("%s", string(p))
		default:
			panic(p)
		}
	}()
	words, err := split(text)
	if err != nil {
		return nil, err
	}
	c := &call{session: s}
	if name, ok := strings.CutSuffix(words[0], ":"); ok {
		c.target, words = name, words[1:]
	}
	if len(words) == 0 {
		mistake("no command")
	}
	does, ok := commands[words[0]]
	if !ok {
		mistake("there is no command %q", words[0])
	}
	c.words = words[1:]
	c.fits(words[0], does.form)
	answer, err := does.run(c)
	if err != nil {
		answer = strings.TrimPrefix(answer+"\n"+showError(err), "\n")
	}
	if answer == "" {
		return nil, nil
	}
	return strings.Split(answer, "\n"), nil
}

// fits ends the run if the words do not fit the command's form.
func (c *call) fits(name, form string) {
	least, most := 0, 0
	for _, f := range strings.Fields(form) {
		switch {
		case strings.HasSuffix(f, "..."):
			most = 1 << 20
		case f[0] == '[':
			most++
		default:
			least++
			most++
		}
	}
	if len(c.words) < least || len(c.words) > most {
		mistake("the form is: %s %s", name, form)
	}
}

// arg returns an argument that may be missing.
func (c *call) arg(i int) string {
	if i < len(c.words) {
		return c.words[i]
	}
	return ""
}

// bytes returns an argument that must be there.
func (c *call) bytes(i int) []byte { return []byte(c.words[i]) }

// on returns what the target names, which must be a T.
func on[T any](c *call) T {
	t, ok := c.find(c.target).(T)
	if !ok {
		mistake("%q cannot do that", c.target)
	}
	return t
}

func (c *call) reader() siltstone.Reader { return on[siltstone.Reader](c) }
func (c *call) writer() siltstone.Writer { return on[siltstone.Writer](c) }
func (c *call) typed() siltstone.Typed   { return on[siltstone.Typed](c) }
func (c *call) db() *siltstone.DB        { return on[*siltstone.DB](c) }

// silent is a call that answers nothing but an error.
func silent(err error) (string, error) { return "", err }

// answered makes an answer of a result and an error: of the error alone, if there
// is one.
func answered[T any](result T, err error) (string, error) {
	if err != nil {
		return "", err
	}
	switch r := any(result).(type) {
	case []byte:
		return show(r), nil
	case bool:
		return yesNo(r), nil
	}
	return fmt.Sprint(result), nil
}

// level reads a durability.
func level(word string) siltstone.Durability {
	for d, name := range map[siltstone.Durability]string{
		siltstone.DefaultDurability: "", siltstone.SyncDurability: "sync", siltstone.OSDurability: "os", siltstone.BufferedDurability: "buffered",
	} {
		if word == name {
			return d
		}
	}
	mistake("%q is no durability: sync, os or buffered", word)
	return 0
}
