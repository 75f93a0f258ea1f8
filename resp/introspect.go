package resp

import (
	"math"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The command about the commands.
var commandCommands = []command{
	{"command", -1, reads, 0, 0, 0, commandCommand},
}

func commandCommand(c *call) error {
	if len(c.args) == 1 {
		names := commandNames()
		c.out.array(len(names))
		for _, name := range names {
			c.describe(commands[name])
		}
		return nil
	}
	switch sub := c.args[1]; {
	case is(sub, "COUNT") && len(c.args) == 2:
		c.out.int(int64(len(commands)))
	case is(sub, "LIST") && len(c.args) == 2:
		names := commandNames()
		c.out.array(len(names))
		c.texts(names)
	case is(sub, "DOCS"):
		c.out.pairs(0)
	case is(sub, "INFO"):
		c.out.array(len(c.args) - 2)
		for _, a := range c.args[2:] {
			if cmd := lookUp(a); cmd != nil {
				c.describe(cmd)
			} else {
				c.out.nullArray()
			}
		}
	case is(sub, "GETKEYS") && len(c.args) < 4:
		return errArity("command|getkeys")
	case is(sub, "GETKEYS"):
		return c.commandKeys(c.args[2:])
	default:
		return errSubcommand("COMMAND", sub)
	}
	return nil
}

// describe writes what clients want to know of a command.
func (c *call) describe(cmd *command) {
	var words []string
	for _, w := range []struct {
		flag flags
		word string
	}{{writes, "write"}, {reads, "readonly"}, {danger, "admin"}, {alone, "noscript"}, {listens, "pubsub"}, {blocks, "blocking"}, {free, "no_auth"}, {numKeys, "movablekeys"}} {
		if cmd.flags&w.flag != 0 {
			words = append(words, w.word)
		}
	}
	c.out.array(10)
	c.out.text(cmd.name)
	c.out.int(int64(cmd.arity))
	c.out.set(len(words))
	for _, w := range words {
		c.out.simple(w)
	}
	c.out.int(int64(cmd.first))
	c.out.int(int64(cmd.last))
	c.out.int(int64(cmd.step))
	for range 4 { // categories, tips, specifications of keys, subcommands
		c.out.array(0)
	}
}

// commandKeys replies with the keys of a command that is given with its arguments.
func (c *call) commandKeys(args [][]byte) error {
	cmd := lookUp(args[0])
	switch {
	case cmd == nil:
		return replyError("ERR Invalid command specified")
	case !cmd.takes(len(args)):
		return replyError("ERR Invalid number of arguments specified for command")
	}
	var keys [][]byte
	last := cmd.last
	if last < 0 {
		last += len(args)
	}
	for i := cmd.first; cmd.first > 0 && i <= last && i < len(args); i += cmd.step {
		keys = append(keys, args[i])
	}
	if cmd.flags&numKeys != 0 {
		at := cmd.first + 1
		if cmd.flags&blocks != 0 {
			at++
		}
		n, ok := parseInt(args[at])
		if !ok || n < 1 || n > int64(len(args)-at-1) {
			return replyError("ERR Invalid arguments specified for command")
		}
		keys = append(keys, args[at+1:at+1+int(n)]...)
	}
	if cmd.name == "sort" {
		if target := sortTarget(args); target != nil {
			keys = append(keys, target)
		}
	}
	if len(keys) == 0 {
		return replyError("ERR The command has no key arguments")
	}
	c.values(keys)
	return nil
}

// object answers OBJECT ENCODING and the like as a server of Redis 7.0 would for the same
// value. Nothing here is encoded in these ways.
func object(c *call) error {
	sub := c.args[1]
	if is(sub, "HELP") && len(c.args) == 2 {
		c.out.array(1)
		c.out.simple("OBJECT ENCODING|REFCOUNT|IDLETIME|FREQ key")
		return nil
	}
	known := []string{"ENCODING", "REFCOUNT", "IDLETIME", "FREQ"}
	if len(c.args) != 3 || !slices.ContainsFunc(known, func(word string) bool { return is(sub, word) }) {
		return errSubcommand("OBJECT", sub, known...)
	}
	kind, err := c.space.Key(c.key(2)).Type()
	if absent(err) {
		c.out.null()
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case is(sub, "ENCODING"):
		name, err := c.s.encoding(c.space, c.key(2), kind)
		if err != nil {
			return err
		}
		c.out.text(name)
	case is(sub, "REFCOUNT"):
		n, err := c.s.references(c.space, c.key(2), kind)
		if err != nil {
			return err
		}
		c.out.int(n)
	case is(sub, "IDLETIME"):
		c.out.int(0)
	default:
		return replyError("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
	}
	return nil
}

// references is 1, but for small numbers, of which a server of Redis has one object each.
func (s *Server) references(rw siltstone.ReadWriter, name string, kind typed.Type) (int64, error) {
	if kind != typed.TypeString {
		return 1, nil
	}
	v, err := rw.Get([]byte(name))
	if n, ok := parseInt(v); ok && n >= 0 && n < 10_000 {
		return math.MaxInt32, err
	}
	return 1, err
}

// encoding names what Redis would encode the value in.
func (s *Server) encoding(rw siltstone.ReadWriter, name string, kind typed.Type) (string, error) {
	small := func(n, value string) (int64, int) { return s.config.limit(n), int(s.config.limit(value)) }
	switch kind {
	case typed.TypeString:
		v, err := rw.Get([]byte(name))
		return stringEncoding(v), err
	case typed.TypeHash:
		most, long := small("hash-max-listpack-entries", "hash-max-listpack-value")
		fits, err := within(rw.Hash(name).All(), most, func(f typed.Field) bool { return len(f.Name) <= long && len(f.Value) <= long })
		return choose(fits, "listpack", "hashtable"), err
	case typed.TypeZSet:
		most, long := small("zset-max-listpack-entries", "zset-max-listpack-value")
		fits, err := within(rw.ZSet(name).All(), most, func(m typed.Member) bool { return len(m.Name) <= long })
		return choose(fits, "listpack", "skiplist"), err
	case typed.TypeSet:
		fits, err := within(rw.Set(name).All(), s.config.limit("set-max-intset-entries"), func(m string) bool {
			_, ok := parseInt([]byte(m))
			return ok
		})
		return choose(fits, "intset", "hashtable"), err
	}
	return "quicklist", nil
}

func stringEncoding(v []byte) string {
	if _, ok := parseInt(v); ok {
		return "int"
	}
	return choose(len(v) <= 44, "embstr", "raw")
}

func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// within reports whether a loop has at most so many items, all of which fit.
func within[T any](loop func(func(T, error) bool), most int64, fits func(T) bool) (bool, error) {
	for v, err := range loop {
		if most--; err != nil || most < 0 || !fits(v) {
			return false, err
		}
	}
	return true, nil
}

// lower is for names of subcommands in errors.
func lower(b []byte) string { return strings.ToLower(string(b)) }
