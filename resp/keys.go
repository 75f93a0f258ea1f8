package resp

import (
	"errors"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on keys of any type.
var keyCommands = []command{
	{"del", -2, writes | joinable, 1, -1, 1, del},
	{"unlink", -2, writes | joinable, 1, -1, 1, del},
	{"exists", -2, reads, 1, -1, 1, exists},
	{"touch", -2, reads, 1, -1, 1, exists},
	{"type", 2, reads, 1, 1, 1, typeOf},
	{"rename", 3, writes, 1, 2, 1, rename},
	{"renamenx", 3, writes, 1, 2, 1, renameNX},
	{"copy", -3, writes, 1, 2, 1, copyKey},
	{"move", 3, writes, 1, 1, 1, move},
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

// copyKey copies within the keyspace, or to another one.
func copyKey(c *call) error {
	replace := false
	to := c.keyspace
	for i := 3; i < len(c.args); i++ {
		switch a := c.args[i]; {
		case is(a, "REPLACE"):
			replace = true
		case is(a, "DB") && i+1 < len(c.args):
			i++
			var err error
			if to, err = c.otherKeyspace(c.args[i]); err != nil {
				return err
			}
		default:
			return errSyntax
		}
	}
	if to != c.keyspace {
		return c.transfer(to, c.args[2], replace, false)
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

// otherKeyspace is SELECT for the commands that write to a second keyspace. It makes none
// in a transaction: there it has to be made before.
func (c *call) otherKeyspace(name []byte) (*siltstone.Keyspace, error) {
	if _, number := parseInt(name); !number {
		if ks, err := c.s.db.Keyspace(string(name)); !absent(err) {
			return ks, err
		}
		return nil, errNotInt
	}
	if c.tx == nil {
		return c.keyspaceOf(name)
	}
	if string(name) == "0" {
		return nil, nil
	}
	ks, err := c.s.db.Keyspace(string(name))
	return ks, instead(err, siltstone.ErrNotFound, "ERR there is no keyspace of that number: select it before the transaction")
}

func move(c *call) error {
	to, err := c.otherKeyspace(c.args[2])
	if err != nil {
		return err
	}
	if to == c.keyspace {
		return replyError("ERR source and destination objects are the same")
	}
	return c.transfer(to, c.args[1], false, true)
}

// transfer copies the value of the first argument, and its time to live, to a key of
// another keyspace, and replies whether it did.
func (c *call) transfer(to *siltstone.Keyspace, name []byte, replace, drop bool) error {
	return c.update(func(s siltstone.ReadWriter) error {
		source, target := s.Key(c.key(1)), c.tx.In(to).Key(string(name))
		kind, err := source.Type()
		if err != nil && !absent(err) {
			return err
		}
		there, terr := target.Exists()
		if terr != nil {
			return terr
		}
		if absent(err) || there && !replace {
			c.out.int(0)
			return nil
		}
		if _, err := target.Drop(); err != nil {
			return err
		}
		p := payload{most: c.s.opts.MaxCommandBytes}
		at, err := source.Deadline()
		if err == nil {
			err = p.write(s, c.key(1), kind)
		}
		if err == nil {
			err = p.read(c.tx.In(to), string(name), kind)
		}
		if err == nil && !at.IsZero() {
			err = target.ExpireAt(at)
		}
		if err == nil && drop {
			_, err = source.Drop()
		}
		if err != nil {
			return err
		}
		c.transferred(to, name, drop)
		c.out.int(1)
		return nil
	})
}

func (c *call) transferred(to *siltstone.Keyspace, name []byte, drop bool) {
	there := change{key: name, class: 'g', event: "move_to"}
	if to != nil {
		there.space = to.Name()
	}
	if drop {
		c.changed(c.args[1], 'g', "move_from")
	} else {
		there.event = "copy_to"
	}
	c.changes = append(c.changes, there)
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

// watchedHere returns the keys that clients watch and that are there, of one keyspace or of
// all: a flush changes them. Those who wait for a key have nothing to get.
func (c *call) watchedHere(everywhere bool) (watched []change, err error) {
	i := &c.s.interest
	if i.count.Load() == 0 {
		return nil, nil
	}
	i.mu.Lock()
	for k := range i.watchers {
		if everywhere || k.space == c.spaceName() {
			watched = append(watched, change{space: k.space, key: []byte(k.key)})
		}
	}
	i.mu.Unlock()
	there := watched[:0]
	for _, w := range watched {
		space, err := c.spaceOf(w.space)
		if err != nil {
			return nil, err
		}
		exists, err := space.Key(string(w.key)).Exists()
		if err != nil {
			return nil, err
		}
		if exists {
			there = append(there, w)
		}
	}
	return there, nil
}

// spaceOf returns the keyspace of a name, in the transaction if there is one.
func (c *call) spaceOf(name string) (siltstone.ReadWriter, error) {
	if name == "" && c.tx == nil {
		return c.s.db, nil
	}
	var ks *siltstone.Keyspace
	if name != "" {
		var err error
		if ks, err = c.s.db.Keyspace(name); err != nil {
			return nil, err
		}
	}
	if c.tx != nil {
		return c.tx.In(ks), nil
	}
	return ks, nil
}

func flushDB(c *call) error {
	if err := c.flushMode(); err != nil {
		return err
	}
	watched, err := c.watchedHere(false)
	if err == nil {
		err = c.space.DeleteRange(siltstone.Range{})
	}
	if err != nil {
		return err
	}
	c.changes = append(c.changes, watched...)
	c.out.ok()
	return nil
}

func flushAll(c *call) error {
	if err := c.flushMode(); err != nil {
		return err
	}
	watched, err := c.watchedHere(true)
	if err != nil {
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
	c.changes = append(c.changes, watched...)
	c.out.ok()
	return nil
}
