package resp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
)

// The commands about the connection.
var clientCommands = []command{
	{"ping", -1, reads | listens, 0, 0, 0, ping},
	{"echo", 2, reads, 0, 0, 0, func(c *call) error { c.out.bulk(c.args[1]); return nil }},
	{"quit", -1, reads | free | control | listens, 0, 0, 0, quit},
	{"reset", 1, reads | free | control | listens, 0, 0, 0, reset},
	{"auth", -2, reads | free | alone, 0, 0, 0, auth},
	{"hello", -1, reads | free | alone, 0, 0, 0, hello},
	{"select", 2, reads, 0, 0, 0, selectCommand},
	{"client", -2, reads, 0, 0, 0, clientCommand},
	{"post", -1, reads | free | control, 0, 0, 0, foreign},
	{"host:", -1, reads | free | control, 0, 0, 0, foreign},
}

func ping(c *call) error {
	if len(c.args) > 2 {
		return errArity(c.cmd.name)
	}
	switch {
	case c.out.proto == 2 && c.c.subs.count() > 0:
		c.out.array(2)
		c.out.text("pong")
		if len(c.args) == 2 {
			c.out.bulk(c.args[1])
		} else {
			c.out.text("")
		}
	case len(c.args) == 2:
		c.out.bulk(c.args[1])
	default:
		c.out.simple("PONG")
	}
	return nil
}

func quit(c *call) error {
	c.out.ok()
	c.c.closing = true
	return nil
}

// foreign ends the connection of a browser that was made to send commands.
func foreign(c *call) error {
	c.c.closing = true
	c.s.opts.Logger.Warn("a client speaks HTTP", "client", c.c.nc.RemoteAddr().String())
	return replyError("ERR this is not an HTTP server")
}

func reset(c *call) error {
	c.c.closeMulti()
	c.s.channels.leave(c.c)
	c.out.proto = 2
	c.choose(nil)
	c.c.known = len(c.s.logins) == 0
	c.c.user = login{name: defaultUser}
	c.c.setLimits()
	c.c.setInfo(func(i *clientInfo) { *i = clientInfo{user: defaultUser, proto: 2} })
	c.c.rearm()
	c.out.simple("RESET")
	return nil
}

// The answer to a wrong password comes late, and a client has so many attempts.
const (
	authPause    = 100 * time.Millisecond
	authAttempts = 8
)

// logIn logs the client in.
func (c *call) logIn(name, password string) error {
	if len(c.s.logins) == 0 {
		if name == defaultUser {
			return replyError("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
		}
		return errWrongPass
	}
	l, ok := c.s.logIn(name, password)
	if !ok {
		if c.c.failed++; c.c.failed >= authAttempts {
			c.c.closing = true
		}
		select {
		case <-time.After(authPause):
		case <-c.s.done:
		}
		return errWrongPass
	}
	c.c.user, c.c.known, c.c.failed = l, true, 0
	c.c.setLimits()
	c.c.rearm()
	c.c.setInfo(func(i *clientInfo) { i.user = name })
	return nil
}

func auth(c *call) error {
	name, password := defaultUser, len(c.args)-1
	if len(c.args) > 3 {
		return errSyntax
	}
	if len(c.args) == 3 {
		name = c.key(1)
	}
	if err := c.logIn(name, string(c.args[password])); err != nil {
		return err
	}
	c.out.ok()
	return nil
}

func hello(c *call) error {
	proto := c.out.proto
	if len(c.args) > 1 {
		n, ok := parseInt(c.args[1])
		if !ok {
			return replyError("ERR Protocol version is not an integer or out of range")
		}
		if n != 2 && n != 3 {
			return replyError("NOPROTO unsupported protocol version")
		}
		proto = int(n)
	}
	name := ""
	for i := 2; i < len(c.args); i++ {
		switch a := c.args[i]; {
		case is(a, "AUTH") && i+2 < len(c.args):
			if err := c.logIn(c.key(i+1), c.key(i+2)); err != nil {
				return err
			}
			i += 2
		case is(a, "SETNAME") && i+1 < len(c.args):
			i++
			if name = c.key(i); !plainName(name) {
				return errClientName
			}
		default:
			return replyError(fmt.Sprintf("ERR Syntax error in HELLO option '%.64s'", a))
		}
	}
	if !c.c.known {
		return replyError("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
	}
	c.out.proto = proto
	c.c.setInfo(func(i *clientInfo) {
		i.proto = proto
		if name != "" {
			i.name = name
		}
	})
	c.out.pairs(7)
	for _, kv := range [][2]string{{"server", "redis"}, {"version", redisVersion}} {
		c.out.text(kv[0])
		c.out.text(kv[1])
	}
	c.out.text("proto")
	c.out.int(int64(proto))
	c.out.text("id")
	c.out.int(c.c.id)
	for _, kv := range [][2]string{{"mode", "standalone"}, {"role", "master"}} {
		c.out.text(kv[0])
		c.out.text(kv[1])
	}
	c.out.text("modules")
	c.out.array(0)
	return nil
}

// keyspaceOf returns the keyspace that a name of SELECT stands for: 0 is the default one,
// anything else the keyspace of that name. A small number makes one.
func (c *call) keyspaceOf(name []byte) (*siltstone.Keyspace, error) {
	n, number := parseInt(name)
	if number && n == 0 {
		return nil, nil
	}
	ks, err := c.s.db.Keyspace(string(name))
	if !errors.Is(err, siltstone.ErrNotFound) {
		return ks, err
	}
	switch {
	case !number:
		return nil, replyError("ERR there is no keyspace of that name")
	case n < 0 || n >= int64(c.s.opts.Databases):
		return nil, replyError("ERR DB index is out of range")
	case !c.s.opts.Writable || c.c.user.readOnly:
		return nil, replyError("ERR there is no keyspace of that number, and this client may not make one")
	}
	return c.s.db.CreateKeyspace(string(name))
}

// choose has the commands that follow address a keyspace.
func (c *call) choose(ks *siltstone.Keyspace) {
	c.keyspace = ks
	switch {
	case c.tx != nil:
		c.space = c.tx.In(ks)
	case ks == nil:
		c.space = c.s.db
	default:
		c.space = ks
	}
	c.c.setInfo(func(i *clientInfo) { i.space = c.spaceName() })
}

func selectCommand(c *call) error {
	ks, err := c.keyspaceOf(c.args[1])
	if err != nil {
		return err
	}
	c.choose(ks)
	c.out.ok()
	return nil
}

// spaceLabel is what SELECT takes for a keyspace.
func spaceLabel(name string) string {
	if name == "" {
		return "0"
	}
	return name
}

func (c *conn) setInfo(change func(*clientInfo)) {
	i := *c.info.Load()
	change(&i)
	c.info.Store(&i)
}

const errClientName = replyError("ERR Client names cannot contain spaces, newlines or special characters.")

func plainName(s string) bool {
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= 256
}

func clientCommand(c *call) error {
	sub, n := c.args[1], len(c.args)
	switch {
	case is(sub, "ID") && n == 2:
		c.out.int(c.c.id)
	case is(sub, "GETNAME") && n == 2:
		if name := c.c.info.Load().name; name != "" {
			c.out.text(name)
		} else {
			c.out.null()
		}
	case is(sub, "SETNAME") && n == 3:
		name := c.key(2)
		if !plainName(name) {
			return errClientName
		}
		c.c.setInfo(func(i *clientInfo) { i.name = name })
		c.out.ok()
	case is(sub, "SETINFO") && n == 4:
		return c.setLibrary()
	case is(sub, "INFO") && n == 2:
		c.out.verbatim(c.c.line(c.s) + "\n")
	case is(sub, "LIST"):
		return c.clientList()
	case is(sub, "KILL") && n > 2:
		return c.clientKill()
	case is(sub, "UNBLOCK") && (n == 3 || n == 4):
		return c.clientUnblock()
	case is(sub, "REPLY") && n == 3 && is(c.args[2], "ON"), is(sub, "NO-EVICT") && n == 3, is(sub, "NO-TOUCH") && n == 3:
		c.out.ok()
	case is(sub, "GETREDIR") && n == 2:
		c.out.int(-1)
	default:
		return errSubcommand("CLIENT", sub, "ID", "GETNAME", "SETNAME", "SETINFO", "INFO", "KILL", "UNBLOCK", "REPLY", "NO-EVICT", "NO-TOUCH", "GETREDIR")
	}
	return nil
}

func (c *call) setLibrary() error {
	value := c.key(3)
	if !plainName(value) {
		return replyError(fmt.Sprintf("ERR %.32s cannot contain spaces, newlines or special characters.", c.args[2]))
	}
	switch {
	case is(c.args[2], "LIB-NAME"):
		c.c.setInfo(func(i *clientInfo) { i.lib = value })
	case is(c.args[2], "LIB-VER"):
		c.c.setInfo(func(i *clientInfo) { i.libVersion = value })
	default:
		return replyError(fmt.Sprintf("ERR Unrecognized option '%.32s'", c.args[2]))
	}
	c.out.ok()
	return nil
}

// line is what CLIENT LIST shows of a connection.
func (c *conn) line(s *Server) string {
	i := c.info.Load()
	now := time.Now()
	flags := "N"
	if s.interest.waiting(c) {
		flags = "b"
	}
	return fmt.Sprintf("id=%d addr=%s laddr=%s name=%s age=%d idle=%d flags=%s db=%s tot-cmds=%d user=%s resp=%d lib-name=%s lib-ver=%s",
		c.id, c.nc.RemoteAddr(), c.nc.LocalAddr(), i.name, int64(now.Sub(c.started).Seconds()), max(now.Unix()-c.active.Load(), 0), flags,
		spaceLabel(i.space), c.ran.Load(), i.user, i.proto, i.lib, i.libVersion)
}

func (c *call) clientList() error {
	ids := map[int64]bool{}
	if len(c.args) > 2 {
		if !is(c.args[2], "ID") || len(c.args) < 4 {
			return errSyntax
		}
		for i := 3; i < len(c.args); i++ {
			id, ok := parseInt(c.args[i])
			if !ok {
				return replyError("ERR Invalid client ID")
			}
			ids[id] = true
		}
	}
	var b strings.Builder
	for _, other := range c.s.clients() {
		if len(ids) == 0 || ids[other.id] {
			b.WriteString(other.line(c.s))
			b.WriteByte('\n')
		}
	}
	c.out.verbatim(b.String())
	return nil
}

// clientKill ends clients: CLIENT KILL addr, or CLIENT KILL ID n, ADDR a, USER u.
func (c *call) clientKill() error {
	if c.c.user.readOnly {
		return errNoPermission("client|kill")
	}
	match := func(*conn) bool { return true }
	and := func(one func(*conn) bool) {
		before := match
		match = func(o *conn) bool { return before(o) && one(o) }
	}
	skipMe := len(c.args) > 3
	if len(c.args) == 3 {
		addr := c.key(2)
		and(func(o *conn) bool { return o.nc.RemoteAddr().String() == addr })
	}
	for i := 2; len(c.args) > 3 && i < len(c.args); i += 2 {
		if i+1 == len(c.args) {
			return errSyntax
		}
		value := c.key(i + 1)
		switch a := c.args[i]; {
		case is(a, "ID"):
			id, ok := parseInt(c.args[i+1])
			if !ok {
				return replyError("ERR client-id should be greater than 0")
			}
			and(func(o *conn) bool { return o.id == id })
		case is(a, "ADDR"):
			and(func(o *conn) bool { return o.nc.RemoteAddr().String() == value })
		case is(a, "USER"):
			and(func(o *conn) bool { return o.info.Load().user == value })
		case is(a, "SKIPME"):
			skipMe = !is(c.args[i+1], "NO")
		default:
			return errSyntax
		}
	}
	killed := 0
	for _, o := range c.s.clients() {
		switch {
		case !match(o) || o == c.c && skipMe:
			continue
		case o == c.c:
			c.c.closing = true
		default:
			o.kill()
		}
		killed++
	}
	if len(c.args) > 3 {
		c.out.int(int64(killed))
		return nil
	}
	if killed == 0 {
		return replyError("ERR No such client")
	}
	c.out.ok()
	return nil
}

func (c *call) clientUnblock() error {
	if c.c.user.readOnly {
		return errNoPermission("client|unblock")
	}
	id, ok := parseInt(c.args[2])
	if !ok {
		return errNotInt
	}
	answer := func(w *waiter) { w.none(&w.c.call.out) }
	if len(c.args) == 4 {
		switch {
		case is(c.args[3], "ERROR"):
			answer = func(w *waiter) { w.c.call.out.error("UNBLOCKED client unblocked via CLIENT UNBLOCK") }
		case !is(c.args[3], "TIMEOUT"):
			return replyError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
		}
	}
	o := c.s.client(id)
	c.out.bit(o != nil && c.s.interest.release(o, answer))
	return nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
