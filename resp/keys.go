package resp

import (
	"errors"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on keys of any type.
var keyCommands = []command{
	{"del", -2, writes, 1, -1, 1, del},
	{"unlink", -2, writes, 1, -1, 1, del},
	{"exists", -2, reads, 1, -1, 1, exists},
	{"touch", -2, reads, 1, -1, 1, exists},
	{"type", 2, reads, 1, 1, 1, typeOf},
	{"rename", 3, writes, 1, 2, 1, rename},
	{"renamenx", 3, writes, 1, 2, 1, renameNX},
	{"copy", -3, writes, 1, 2, 1, copyKey},
	{"randomkey", 1, reads, 0, 0, 0, randomKey},
	{"keys", 2, reads, 0, 0, 0, keys},
	{"dbsize", 1, reads, 0, 0, 0, func(c *call) error { return c.number(c.space.Keys().Count()) }},
	{"flushdb", -1, writes, 0, 0, 0, flushDB},
	{"flushall", -1, writes, 0, 0, 0, flushAll},
}

func del(c *call) error {
	if len(c.args) == 2 {
		existed, err := c.space.Key(c.key(1)).Drop()
		if err != nil {
			return err
		}
		if existed {
			c.changed(c.args[1], 'g', "del")
		}
		c.out.bit(existed)
		return nil
	}
	n := 0
	err := c.update(func(s siltstone.ReadWriter) error {
		n = 0
		for i, name := range c.strings(1, len(c.args)) {
			existed, err := s.Key(name).Drop()
			if err != nil {
				return err
			}
			if existed {
				c.changed(c.args[1+i], 'g', "del")
				n++
			}
		}
		return nil
	})
	return c.number(int64(n), err)
}

func exists(c *call) error {
	n, err := c.space.Keys().Exists(c.strings(1, len(c.args))...)
	return c.number(int64(n), err)
}

func typeOf(c *call) error {
	t, err := c.space.Key(c.key(1)).Type()
	if err != nil && !absent(err) {
		return err
	}
	c.out.simple(t.String())
	return nil
}

func (c *call) renamed() {
	c.changed(c.args[1], 'g', "rename_from")
	c.changed(c.args[2], 'g', "rename_to")
}

func rename(c *call) error {
	if err := c.space.Key(c.key(1)).Rename(c.key(2)); err != nil {
		return err
	}
	c.renamed()
	c.out.ok()
	return nil
}

func renameNX(c *call) error {
	done, err := c.space.Key(c.key(1)).RenameNX(c.key(2))
	if err != nil {
		return err
	}
	if done {
		c.renamed()
	}
	c.out.bit(done)
	return nil
}

// copyKey copies within the keyspace.
func copyKey(c *call) error {
	replace := false
	for i := 3; i < len(c.args); i++ {
		switch a := c.args[i]; {
		case is(a, "REPLACE"):
			replace = true
		case is(a, "DB") && i+1 < len(c.args):
			i++
			if string(c.args[i]) != c.spaceLabel() {
				return replyError("ERR COPY to another database is not supported")
			}
		default:
			return errSyntax
		}
	}
	if string(c.args[1]) == string(c.args[2]) {
		return replyError("ERR source and destination objects are the same")
	}
	done, err := c.space.Key(c.key(1)).CopyTo(c.key(2), replace)
	if err != nil {
		return err
	}
	if done {
		c.changed(c.args[2], 'g', "copy_to")
	}
	c.out.bit(done)
	return nil
}

func randomKey(c *call) error {
	name, err := c.space.Keys().Random()
	return c.orNull([]byte(name), err)
}

func keys(c *call) error {
	return all(c, '*', c.space.Keys().All(typed.KeyOptions{Match: c.key(1)}), func(k typed.Key) { c.out.text(k.Name()) })
}

// flushMode parses what may stand behind FLUSHDB and FLUSHALL. Both take the same time for
// any number of keys.
func (c *call) flushMode() error {
	if len(c.args) > 2 || len(c.args) == 2 && !is(c.args[1], "SYNC") && !is(c.args[1], "ASYNC") {
		return errSyntax
	}
	return nil
}

// flushed tells the clients that watch a key of the keyspace. Those who wait for one have
// nothing to get.
func (c *call) flushed(everywhere bool) {
	i := &c.s.interest
	if i.count.Load() == 0 {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for k := range i.watchers {
		if everywhere || k.space == c.spaceName() {
			c.changes = append(c.changes, change{keyName: k})
		}
	}
}

func flushDB(c *call) error {
	if err := c.flushMode(); err != nil {
		return err
	}
	if err := c.space.DeleteRange(siltstone.Range{}); err != nil {
		return err
	}
	c.flushed(false)
	c.out.ok()
	return nil
}

func flushAll(c *call) error {
	if err := c.flushMode(); err != nil {
		return err
	}
	names, err := c.s.db.Keyspaces()
	if err != nil {
		return err
	}
	err = c.update(func(siltstone.ReadWriter) error {
		if err := c.tx.In(nil).DeleteRange(siltstone.Range{}); err != nil {
			return err
		}
		for _, name := range names {
			ks, err := c.s.db.Keyspace(name)
			if errors.Is(err, siltstone.ErrNotFound) {
				continue // dropped meanwhile
			}
			if err == nil {
				err = c.tx.In(ks).DeleteRange(siltstone.Range{})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.flushed(true)
	c.out.ok()
	return nil
}
