package resp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone"
)

// command is a row of the table of commands.
type command struct {
	name  string
	arity int // arguments with the name; negative: at least so many
	flags flags
	first int // argument that is the first key; 0: there are none
	last  int // the last one; negative: counted from the end
	step  int
	run   func(*call) error
}

// flags say what a command does, for clients and for the checks before it runs.
type flags uint16

const (
	reads    flags = 1 << iota // and writes nothing
	writes                     // to the store
	free                       // needs no log-in
	control                    // is not queued by MULTI
	alone                      // is refused by MULTI
	listens                    // is for those who have subscribed, too
	blocks                     // may wait for a key
	zsetWait                   // of a sorted set
	danger                     // is for the user of the server, not of its data
	joinable                   // with others that are behind it in a pipeline: see joined
	merges                     // with commands of the same name behind it: see joined
	numKeys                    // its keys are counted by an argument
	takes                      // removes what it replies with
)

// The tables of the families, each in its file.
var families = [][]command{
	stringCommands, stringPartCommands, bitCommands, bitfieldCommands, keyCommands, sortCommands, expireCommands, scanCommands, dumpCommands,
	hashCommands, hashTTLCommands, setCommands, zsetCommands, zsetRangeCommands, zsetAlgebraCommands,
	listCommands, listBlockCommands, multiCommands, pubsubCommands, clientCommands, serverCommands, commandCommands, debugCommands,
}

var commands map[string]*command

func init() { // not by declaration: the command COMMAND looks into the table
	commands = map[string]*command{}
	for _, family := range families {
		for i := range family {
			commands[family[i].name] = &family[i]
		}
	}
}

// commandNames returns the names of all commands in order.
func commandNames() []string {
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// lookUp finds a command by its name in any case.
func lookUp(name []byte) *command {
	var room [32]byte
	if len(name) > len(room) {
		return nil
	}
	for i, b := range name {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		room[i] = b
	}
	return commands[string(room[:len(name)])]
}

// find is lookUp of a name that is mostly the same as the last one.
func (c *conn) find(name []byte) *command {
	if c.last.cmd != nil && string(name) == string(c.last.name) {
		return c.last.cmd
	}
	cmd := lookUp(name)
	if cmd != nil { // so the name is short
		c.last.name, c.last.cmd = append(c.last.name[:0], name...), cmd
	}
	return cmd
}

// takes reports whether the command can have so many arguments, its name among them.
func (cmd *command) takes(n int) bool {
	return cmd.arity >= 0 && n == cmd.arity || cmd.arity < 0 && n >= -cmd.arity
}

func errUnknown(args [][]byte) error {
	var b strings.Builder
	fmt.Fprintf(&b, "ERR unknown command '%.128s', with args beginning with: ", args[0])
	for _, a := range args[1:] {
		if b.Len() > 128 {
			break
		}
		fmt.Fprintf(&b, "'%.*s' ", 128, a)
	}
	return replyError(b.String())
}

// run runs one command and leaves its reply in the output.
func (c *conn) run(args [][]byte) {
	c.ran.Add(1)
	call := &c.call
	call.args = args
	call.cmd = c.find(args[0])
	err := c.allowed(call.cmd, args)
	switch {
	case err != nil:
		c.multi.spoiled = true
		if call.cmd != nil && call.cmd.name == "exec" {
			c.closeMulti()
			err = replyError("EXECABORT Transaction discarded because of: " + strings.TrimPrefix(errorText(err), "ERR "))
		}
		call.out.error(errorText(err))
		return
	case c.multi.open && call.cmd.flags&control == 0:
		err = c.queue(call)
	case c.joins(call.cmd, args):
		c.performJoined(call)
	default:
		err = call.perform()
	}
	if err != nil {
		call.out.error(errorText(err))
	}
	if w := call.waits; w != nil {
		call.waits = nil
		c.block(w)
	}
}

// allowed says why a command is not run.
func (c *conn) allowed(cmd *command, args [][]byte) error {
	switch {
	case cmd == nil:
		if !c.known {
			return errNoAuth
		}
		return errUnknown(args)
	case !cmd.takes(len(args)):
		return errArity(cmd.name)
	case !c.known && cmd.flags&free == 0:
		return errNoAuth
	case cmd.flags&writes != 0 && !c.s.opts.Writable:
		return errServerReads
	case cmd.flags&(writes|danger) != 0 && c.user.readOnly:
		return errNoPermission(cmd.name)
	case c.multi.open && cmd.flags&alone != 0:
		return replyError(fmt.Sprintf("ERR Command '%s' not allowed inside a transaction", cmd.name))
	case c.call.out.proto == 2 && cmd.flags&listens == 0 && c.subs.count() > 0:
		return replyError(fmt.Sprintf("ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context", cmd.name))
	}
	return nil
}

// perform runs the command of the call, and tells those who are interested in what it
// wrote.
func (c *call) perform() error {
	if c.cmd.flags&writes == 0 {
		c.c.unstripe()
		return c.attempt(c.cmd)
	}
	c.c.stripe(c)
	c.s.writes.RLock()
	defer c.s.writes.RUnlock()
	err := c.attempt(c.cmd)
	if len(c.changes) > 0 {
		c.s.announce(c.changes)
		c.changes = c.changes[:0]
	}
	return err
}

// attempt runs a command. After an error nothing of its reply is left, and the caller
// writes the error; an attempt that nobody waits for writes it itself.
func (c *call) attempt(cmd *command) error {
	mark := len(c.out.buf)
	var err error
	if cmd.flags&takes != 0 && c.tx == nil {
		err = c.take(cmd)
	} else if err = cmd.run(c); err == nil {
		err = c.fits(mark)
	}
	if cmd.flags&writes != 0 {
		c.c.wrote = true
	}
	if err == nil {
		return nil
	}
	c.out.buf = c.out.buf[:mark]
	if c.c.waiter != nil {
		c.out.error(errorText(err))
	}
	return err
}

// take runs a command that removes what it replies with. If there is no room for the reply
// nothing is removed.
func (c *call) take(cmd *command) error {
	mark, space := len(c.out.buf), c.space
	defer func() { c.space = space }()
	return c.update(func(s siltstone.ReadWriter) error {
		c.space, c.waits = s, nil
		if err := cmd.run(c); err != nil {
			return err
		}
		return c.fits(mark)
	})
}

// block makes the client wait. From when it is enlisted until it has ended, its output
// belongs to whoever serves it: so the replies before are sent first.
func (c *conn) block(w *waiter) {
	held := 0
	for _, a := range c.call.args {
		held += 2 * remembered(a) // as an argument, and as a key
	}
	if !c.grow(held) {
		c.call.out.error(string(errBuffersFull))
		return
	}
	defer c.grow(-held)
	c.call.keep()
	if err := c.flush(); err != nil || c.closing {
		c.closing = true
		return
	}
	c.s.interest.enlist(w)
	defer c.s.follow(w, c.call.keyspace)()
	c.s.retry(w) // what was written meanwhile nobody has announced
	if err := c.wait(w); err != nil {
		c.s.interest.leave(c)
		c.closing = true
		if !errors.Is(err, errEnding) {
			c.call.out.buf = c.call.out.buf[:0]
		}
	}
}
