package resp

import (
	"sync"

	"github.com/siltstonedb/siltstone"
)

// joined holds commands of one pipeline that follow each other and are made one commit:
// SETs of any keys without options, or pushes of one value each to the same end of one list.
// Each has its reply, as if it had been alone. The others that read them see all of them or
// none, which is one of the orders in which they might have come.
//
//	SET a 1 │ SET b 2 │ SET c 3 │ GET a
//	└────── one commit ───────┘   ahead: parsed, and run next
//
// A commit costs much the same for one row and for several. If it is refused, each command
// runs by itself, so that the error is the reply of the one that made the mistake.
type joined struct {
	batch siltstone.Batch
	rows  [][2][]byte // key and value, in the reader's buffer
	list  [][]byte    // the values, of pushes
	args  [3][]byte   // of the command that runs
}

var joinedPool = sync.Pool{New: func() any { return new(joined) }}

// The bounds of a commit: of the commands in it, and of their bytes.
const (
	joinMost  = 256
	joinBytes = 16 << 10
)

// ahead is a command that was taken from the reader and has not run.
type ahead struct {
	args [][]byte
	err  error
}

// next returns the next command, as reader.next does.
func (c *conn) next() ([][]byte, error) {
	if a := c.ahead; a.args != nil || a.err != nil {
		c.ahead = ahead{}
		return a.args, a.err
	}
	return c.in.next()
}

// joins reports whether the command may be joined with others that have arrived. While somebody waits for a
// key it may not: he would take elements between two pushes, and the lengths in the replies
// would be others.
func (c *conn) joins(cmd *command, args [][]byte) bool {
	return cmd.flags&joinable != 0 && len(args) == 3 && c.in.pos < c.in.end && c.s.interest.count.Load() == 0
}

// gather appends the command of the call and those behind it that may be joined with it, and
// keeps what comes then for next. The arguments of lines are not kept by the reader.
func (c *conn) gather(j *joined, call *call) {
	copy(j.args[:], call.args)
	cmd, key := call.cmd, j.args[1]
	j.rows = append(j.rows, [2][]byte{key, j.args[2]})
	for size := len(key) + len(j.args[2]); len(j.rows) < joinMost && c.in.words == nil; {
		args, err := c.in.next()
		if args == nil && err == nil {
			return
		}
		if err == nil && len(args) == 3 {
			size += len(args[1]) + len(args[2])
		}
		if err != nil || len(args) != 3 || size > joinBytes || c.in.words != nil || lookUp(args[0]) != cmd ||
			cmd.name != "set" && string(args[1]) != string(key) {
			c.ahead = ahead{args, err}
			return
		}
		c.ran.Add(1)
		j.rows = append(j.rows, [2][]byte{args[1], args[2]})
	}
}

// performJoined runs the command of the call with those that may be joined with it.
func (c *conn) performJoined(call *call) error {
	j := joinedPool.Get().(*joined)
	defer func() {
		clear(j.rows)
		clear(j.list)
		call.args, j.args = nil, [3][]byte{}
		j.rows, j.list = j.rows[:0], j.list[:0]
		joinedPool.Put(j)
	}()
	c.gather(j, call)
	call.args = j.args[:]
	if len(j.rows) > 1 && c.commitJoined(j, call) == nil {
		return nil
	}
	for _, row := range j.rows {
		j.args[1], j.args[2] = row[0], row[1]
		if err := call.perform(); err != nil {
			call.out.error(errorText(err))
		}
	}
	return nil
}

// commitJoined makes the commit, tells those who are interested, and replies. After an
// error nothing has changed.
func (c *conn) commitJoined(j *joined, call *call) error {
	isSet := call.cmd.name == "set"
	if isSet {
		c.unstripe()
	} else {
		c.stripe(call)
	}
	c.s.writes.RLock()
	defer c.s.writes.RUnlock()
	c.wrote = true
	length, err := j.commit(call)
	if err != nil {
		return err
	}
	for i, row := range j.rows {
		if isSet {
			call.changed(row[0], '$', "set")
			call.out.ok()
		} else {
			call.changed(row[0], 'l', call.cmd.name)
			call.out.int(length - int64(len(j.rows)-1-i))
		}
	}
	if len(call.changes) > 0 {
		c.s.announce(call.changes)
		call.changes = call.changes[:0]
	}
	return nil
}

// commit commits the rows, and returns how long the list is then.
func (j *joined) commit(call *call) (length int64, err error) {
	if call.cmd.name == "set" {
		j.batch.Reset()
		b := &j.batch
		if call.keyspace != nil {
			b = b.In(call.keyspace)
		}
		for _, row := range j.rows {
			b.Put(row[0], row[1])
		}
		return 0, call.s.db.Apply(&j.batch, siltstone.DefaultDurability)
	}
	for _, row := range j.rows {
		j.list = append(j.list, row[1])
	}
	list := call.space.List(call.key(1))
	if call.cmd.name == "lpush" {
		return list.PushFront(j.list...)
	}
	return list.PushBack(j.list...)
}
