package resp

import (
	"sync"

	"github.com/siltstonedb/siltstone"
)

// joined holds commands of one pipeline that follow each other and are made one commit.
// Each has its reply, as if it had been alone, and sees what those before it wrote. The
// others that read the keys see all of it or none, which is one of the orders in which the
// commands might have come.
//
//	SET a 1 │ INCR n │ DEL b │ GET a
//	└────── one commit ──────┘   ahead: parsed, and run next
//
// A commit costs much the same for one row and for several. Commands that write a row or
// two and whose replies are short are joined in a transaction; one that fails writes
// nothing, and its neighbours go on. Those of one name that add to one key are merged to one
// call, and so are SETs, which read nothing: there may be more of them. If the commit is
// refused each command runs by itself, so that the error is the reply of the one that made
// the mistake.
type joined struct {
	calls  []joinedCall
	args   [][]byte // of all calls, in the reader's buffer
	merged bool     // they are one call
	batch  siltstone.Batch
	list   [][]byte // the values, of pushes
	added  joinedElements
}

// joinedCall is a command and where its arguments are.
type joinedCall struct {
	cmd      *command
	from, to int
}

var joinedPool = sync.Pool{New: func() any { return new(joined) }}

// The bounds of a commit: of commands that read nothing or one list, of commands in a
// transaction, and of their bytes. In larger transactions a command costs no less, and they
// are more likely to meet those of others.
const (
	mergeMost = 256
	joinMost  = 16
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

// joins reports whether the command may be joined with others that have arrived. While
// somebody waits for a key it may not: he would take elements between two pushes, and the
// lengths in the replies would be others.
func (c *conn) joins(cmd *command, args [][]byte) bool {
	return cmd.flags&(joinable|merges) != 0 && c.in.pos < c.in.end && c.s.interest.count.Load() == 0
}

// transacts reports whether the command may be one of several in a transaction. The reply
// of SET with GET may be long.
func transacts(cmd *command, args [][]byte) bool {
	if cmd.flags&joinable == 0 {
		return false
	}
	if cmd.name == "set" {
		for _, a := range args[3:] {
			if is(a, "GET") {
				return false
			}
		}
	}
	return true
}

// accepts reports whether the commands that were taken and another one may be one commit.
// There is one at least.
func (j *joined) accepts(cmd *command, args [][]byte) bool {
	first := j.calls[0]
	alike := j.merged && cmd == first.cmd && len(args) == first.to-first.from &&
		(cmd.name == "set" || string(args[1]) == string(j.args[1]))
	if alike && !first.cmd.adds() {
		return len(j.calls) < mergeMost
	}
	if alike {
		return len(j.calls) < joinMost
	}
	if len(j.calls) >= joinMost || !transacts(cmd, args) || !transacts(first.cmd, j.args[first.from:first.to]) {
		return false
	}
	j.merged = false
	return true
}

func (j *joined) take(cmd *command, args [][]byte) {
	from := len(j.args)
	j.args = append(j.args, args...)
	j.calls = append(j.calls, joinedCall{cmd, from, len(j.args)})
}

// use makes call i of those that were taken the one that runs.
func (j *joined) use(call *call, i int) *command {
	one := j.calls[i]
	call.cmd, call.args = one.cmd, j.args[one.from:one.to:one.to]
	return one.cmd
}

// gather takes the command of the call and those behind it that may be joined with it, and
// keeps what comes then for next. The arguments of lines are not kept by the reader.
func (c *conn) gather(j *joined, call *call) {
	j.take(call.cmd, call.args)
	j.merged = mergeable(call.cmd, call.args)
	for size := bytesOf(call.args); !c.in.line; {
		args, err := c.in.next()
		if args == nil && err == nil {
			return
		}
		var cmd *command
		if err == nil && !c.in.line {
			cmd = c.find(args[0])
			size += bytesOf(args)
		}
		if cmd == nil || !cmd.takes(len(args)) || size > joinBytes || !j.accepts(cmd, args) {
			c.ahead = ahead{args, err}
			return
		}
		c.ran.Add(1)
		j.take(cmd, args)
	}
}

// mergeable reports whether the command may be merged with others of its name: it has one
// element, or one value.
func mergeable(cmd *command, args [][]byte) bool {
	n := 3
	if cmd.name == "hset" || cmd.name == "zadd" {
		n = 4
	}
	return cmd.flags&merges != 0 && len(args) == n
}

func bytesOf(args [][]byte) (n int) {
	for _, a := range args {
		n += len(a)
	}
	return n
}

// performJoined runs the command of the call with those that may be joined with it.
func (c *conn) performJoined(call *call) {
	j := joinedPool.Get().(*joined)
	defer func() {
		clear(j.args)
		clear(j.list)
		call.args = nil
		j.calls, j.args, j.list = j.calls[:0], j.args[:0], j.list[:0]
		j.added.reset()
		joinedPool.Put(j)
	}()
	c.gather(j, call)
	j.use(call, 0) // the reader has used its list of arguments again
	if len(j.calls) > 1 && c.commitJoined(j, call) == nil {
		return
	}
	for i := range j.calls {
		j.use(call, i)
		if err := call.perform(); err != nil {
			call.out.error(errorText(err))
		}
	}
}

// commitJoined makes the commit, tells those who are interested, and replies. After an
// error nothing has changed, and there is no reply.
func (c *conn) commitJoined(j *joined, call *call) error {
	if j.sameKey() {
		c.stripe(call)
	} else {
		c.unstripe()
	}
	c.s.writes.RLock()
	defer c.s.writes.RUnlock()
	c.wrote = true
	err := j.commit(call)
	if err == nil && len(call.changes) > 0 {
		c.s.announce(call.changes)
	}
	call.changes = call.changes[:0]
	return err
}

// commit runs the commands as one.
func (j *joined) commit(call *call) error {
	if !j.merged {
		return j.transact(call)
	}
	switch cmd := j.calls[0].cmd; {
	case cmd.name == "set":
		return j.set(call)
	case cmd.adds():
		return j.add(call)
	}
	return j.push(call)
}

// sameKey reports whether all commands are about one key.
func (j *joined) sameKey() bool {
	for _, one := range j.calls {
		if one.cmd.last != 1 || string(j.args[one.from+1]) != string(j.args[1]) {
			return false
		}
	}
	return true
}

// set commits SETs.
func (j *joined) set(call *call) error {
	j.batch.Reset()
	b := &j.batch
	if call.keyspace != nil {
		b = b.In(call.keyspace)
	}
	for i := range j.calls {
		b.Put(j.args[3*i+1], j.args[3*i+2])
	}
	if err := call.s.db.Apply(&j.batch, siltstone.DefaultDurability); err != nil {
		return err
	}
	for i := range j.calls {
		call.changed(j.args[3*i+1], '$', "set")
		call.out.ok()
	}
	return nil
}

// push commits pushes to one end of a list.
func (j *joined) push(call *call) (err error) {
	name, key := j.calls[0].cmd.name, j.args[1]
	for i := range j.calls {
		j.list = append(j.list, j.args[3*i+2])
	}
	list, length := call.space.List(string(key)), int64(0)
	if name == "lpush" {
		length, err = list.PushFront(j.list...)
	} else {
		length, err = list.PushBack(j.list...)
	}
	if err != nil {
		return err
	}
	for i := range j.calls {
		call.changed(key, 'l', name)
		call.out.int(length - int64(len(j.calls)-1-i))
	}
	return nil
}

// transact commits what all commands write in one transaction. What a command that failed
// replies is its error; a failure of the transaction's own is that of all.
func (j *joined) transact(call *call) error {
	mark, space := len(call.out.buf), call.space
	err := call.s.db.Update(call.s.ctx, func(tx *siltstone.Tx) error {
		call.out.buf, call.changes = call.out.buf[:mark], call.changes[:0]
		call.tx, call.space = tx, tx.In(call.keyspace)
		for i := range j.calls {
			if err := call.attempt(j.use(call, i)); ofAll(err) {
				return err
			} else if err != nil {
				call.out.error(errorText(err))
			}
		}
		return nil
	})
	call.tx, call.space = nil, space
	if err != nil {
		call.out.buf, call.changes = call.out.buf[:mark], call.changes[:0]
	}
	return err
}
