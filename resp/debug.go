package resp

import (
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone"
)

// The command of test suites, which Options.Debug admits.
var debugCommands = []command{
	{"debug", -2, danger, 0, 0, 0, debugCommand},
}

func debugCommand(c *call) error {
	if !c.s.opts.Debug {
		return replyError("ERR DEBUG command not allowed. The server was not started with it.")
	}
	switch sub := c.args[1]; {
	case is(sub, "SLEEP") && len(c.args) == 3:
		s, err := c.float(2)
		if err != nil {
			return err
		}
		select {
		case <-time.After(time.Duration(min(max(s, 0), 3600) * 1e9)):
		case <-c.s.done:
		}
		c.out.ok()
	case is(sub, "RELOAD"), is(sub, "LOADAOF"): // what is there is on disk
		c.out.ok()
	case is(sub, "SET-ACTIVE-EXPIRE"), is(sub, "QUICKLIST-PACKED-THRESHOLD"), is(sub, "LOG"):
		c.out.ok()
	case is(sub, "STRINGMATCH-LEN") && len(c.args) == 4:
		n, err := c.int(2)
		if err != nil || n < 0 || n > 1<<20 {
			return errNotInt
		}
		matches(c.args[3], make([]byte, n))
		c.out.ok()
	case is(sub, "OBJECT") && len(c.args) == 3:
		return c.debugObject()
	case is(sub, "DIGEST") && len(c.args) == 2:
		return c.digest()
	case is(sub, "DIGEST-VALUE") && len(c.args) > 2:
		c.out.array(len(c.args) - 2)
		for _, a := range c.args[2:] {
			if err := c.digestOf(string(a)); err != nil {
				return err
			}
		}
	case is(sub, "PROTOCOL") && len(c.args) == 3:
		return c.protocol(lower(c.args[2]))
	default:
		return errSubcommand("DEBUG", sub)
	}
	return nil
}

func (c *call) debugObject() error {
	kind, err := c.space.Key(c.key(2)).Type()
	if err != nil {
		return err
	}
	name, err := c.s.encoding(c.space, c.key(2), kind)
	if err != nil {
		return err
	}
	c.out.simple(fmt.Sprintf("Value at:0x0 refcount:1 encoding:%s serializedlength:0 lru:0 lru_seconds_idle:0", name))
	return nil
}

// digest replies with a number that depends on all keys and what they hold.
func (c *call) digest() error {
	var total uint64
	err := c.view(func(s siltstone.ReadWriter) error {
		for kv, err := range s.ScanKeys(siltstone.Range{}) {
			if err != nil {
				return err
			}
			p := print{}
			p.h.SetSeed(seed)
			p.bytes(kv.Key)
			if err := p.content(s, string(kv.Key), kv.Type); err != nil {
				return err
			}
			total += p.h.Sum64()
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.out.simple(fmt.Sprintf("%040x", total))
	return nil
}

func (c *call) digestOf(name string) error {
	kind, err := c.space.Key(name).Type()
	if err != nil && !absent(err) {
		return err
	}
	p := print{}
	p.h.SetSeed(seed)
	if err == nil {
		if err := p.content(c.space, name, kind); err != nil {
			return err
		}
	}
	c.out.simple(fmt.Sprintf("%040x", p.h.Sum64()))
	return nil
}

// protocol shows each kind of reply.
func (c *call) protocol(kind string) error {
	switch kind {
	case "string":
		c.out.text("Hello World")
	case "integer":
		c.out.int(12345)
	case "double":
		c.out.double(3.141)
	case "null":
		c.out.null()
	case "array":
		c.out.array(3)
		for i := range int64(3) {
			c.out.int(i)
		}
	case "set":
		c.out.set(3)
		for i := range int64(3) {
			c.out.int(i)
		}
	case "map":
		c.out.pairs(3)
		for i := range int64(3) {
			c.out.int(i)
			c.out.bool(i == 1)
		}
	case "true", "false":
		c.out.bool(kind == "true")
	case "bignum":
		c.out.big("1234567999999999999999999999999999999")
	case "attrib":
		if c.out.proto == 3 {
			c.out.head('|', 1)
			c.out.text("key-popularity")
			c.out.array(2)
			c.out.text("key:123")
			c.out.int(90)
		}
		c.out.text("Some real reply following the attribute")
	case "verbatim":
		c.out.verbatim("This is a verbatim\nstring")
	default:
		return replyError("ERR Wrong protocol type name. Please use one of the following: string|integer|double|null|array|set|map|verbatim|true|false")
	}
	return nil
}
