package resp

import (
	"slices"
	"sync"
)

// The commands of messages.
var pubsubCommands = []command{
	{"subscribe", -2, reads | alone | listens, 0, 0, 0, subscribe},
	{"unsubscribe", -1, reads | alone | listens, 0, 0, 0, unsubscribe},
	{"psubscribe", -2, reads | alone | listens, 0, 0, 0, psubscribe},
	{"punsubscribe", -1, reads | alone | listens, 0, 0, 0, punsubscribe},
	{"publish", 3, reads, 0, 0, 0, publish},
	{"pubsub", -2, reads, 0, 0, 0, pubsub},
}

// channels are the names that clients have subscribed to.
type channels struct {
	mu       sync.RWMutex
	names    map[string]map[*conn]struct{}
	patterns map[string]map[*conn]struct{}
}

// subscriptions are those of one connection.
type subscriptions struct{ names, patterns map[string]struct{} }

func (s *subscriptions) count() int { return len(s.names) + len(s.patterns) }

// enter adds a connection to those of a name. It returns the map, made if there was none.
func enter(all map[string]map[*conn]struct{}, name string, c *conn) map[string]map[*conn]struct{} {
	if all == nil {
		all = map[string]map[*conn]struct{}{}
	}
	if all[name] == nil {
		all[name] = map[*conn]struct{}{}
	}
	all[name][c] = struct{}{}
	return all
}

func remove(all map[string]map[*conn]struct{}, name string, c *conn) {
	delete(all[name], c)
	if len(all[name]) == 0 {
		delete(all, name)
	}
}

func (ch *channels) leave(c *conn) {
	if c.subs.count() == 0 {
		return
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for name := range c.subs.names {
		remove(ch.names, name, c)
		c.grow(-remembered(name))
	}
	for name := range c.subs.patterns {
		remove(ch.patterns, name, c)
		c.grow(-remembered(name))
	}
	c.subs = subscriptions{}
}

// maxSubscriptions bounds those of a connection.
const maxSubscriptions = 10_000

func (c *call) subscribed(kind string, name []byte) {
	c.out.push(3)
	c.out.text(kind)
	c.out.maybe(name)
	c.out.int(int64(c.c.subs.count()))
}

// subscribeTo subscribes to the arguments.
func (c *call) subscribeTo(kind string, mine *map[string]struct{}, all *map[string]map[*conn]struct{}) error {
	if c.c.subs.count()+len(c.args) > maxSubscriptions {
		return replyError("ERR too many subscriptions")
	}
	held := 0
	for _, a := range c.args[1:] {
		held += remembered(a)
	}
	if !c.c.grow(held) {
		return errBuffersFull
	}
	ch := &c.s.channels
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if *mine == nil {
		*mine = map[string]struct{}{}
	}
	for _, a := range c.args[1:] {
		if _, twice := (*mine)[string(a)]; twice {
			c.c.grow(-remembered(a))
		} else {
			name := string(a)
			(*mine)[name] = struct{}{}
			*all = enter(*all, name, c.c)
		}
		c.subscribed(kind, a)
	}
	c.c.rearm()
	return nil
}

// unsubscribeFrom ends subscriptions, all of its kind without arguments.
func (c *call) unsubscribeFrom(kind string, mine map[string]struct{}, all map[string]map[*conn]struct{}) error {
	ch := &c.s.channels
	ch.mu.Lock()
	defer ch.mu.Unlock()
	names := c.args[1:]
	if len(names) == 0 {
		for name := range mine {
			names = append(names, []byte(name))
		}
	}
	for _, a := range names {
		if _, there := mine[string(a)]; there {
			c.c.grow(-remembered(a))
		}
		delete(mine, string(a))
		remove(all, string(a), c.c)
		c.subscribed(kind, a)
	}
	if len(names) == 0 {
		c.subscribed(kind, nil)
	}
	c.c.rearm()
	return nil
}

// rearm has the deadline of reads set anew: how long a client may be silent has changed.
func (c *conn) rearm() {
	c.mu.Lock()
	c.armed = false
	c.mu.Unlock()
}

func subscribe(c *call) error {
	return c.subscribeTo("subscribe", &c.c.subs.names, &c.s.channels.names)
}

func psubscribe(c *call) error {
	return c.subscribeTo("psubscribe", &c.c.subs.patterns, &c.s.channels.patterns)
}

func unsubscribe(c *call) error {
	return c.unsubscribeFrom("unsubscribe", c.c.subs.names, c.s.channels.names)
}

func punsubscribe(c *call) error {
	return c.unsubscribeFrom("punsubscribe", c.c.subs.patterns, c.s.channels.patterns)
}

func publish(c *call) error {
	if c.c.user.readOnly {
		return errNoPermission("publish")
	}
	c.out.int(int64(c.s.publish(c.args[1], c.args[2])))
	return nil
}

// publish leaves a message with all who have subscribed, and returns how many there were.
// Each writes it by itself, so that a slow client holds nobody.
func (s *Server) publish(channel, message []byte) (n int) {
	s.channels.mu.RLock()
	defer s.channels.mu.RUnlock()
	if to := s.channels.names[string(channel)]; len(to) > 0 {
		var r reply
		r.array(3)
		r.text("message")
		r.bulk(channel)
		r.bulk(message)
		for c := range to {
			c.leave(r.buf)
			n++
		}
	}
	for pattern, to := range s.channels.patterns {
		if !matches([]byte(pattern), channel) {
			continue
		}
		var r reply
		r.array(4)
		r.text("pmessage")
		r.text(pattern)
		r.bulk(channel)
		r.bulk(message)
		for c := range to {
			c.leave(r.buf)
			n++
		}
	}
	return n
}

// maxPushed bounds the messages that wait for a client. One that lets more wait is ended.
const maxPushed = 8 << 20

// leave leaves a message, which is an array, for the connection to write.
func (c *conn) leave(message []byte) {
	third := c.info.Load().proto == 3
	over := c.s.buffers.Add(int64(len(message))) > c.s.opts.MaxBufferBytes
	c.wake(func() {
		if c.ending {
			c.s.buffers.Add(-int64(len(message)))
			return
		}
		at := len(c.pushed)
		c.pushed = append(c.pushed, message...)
		if third {
			c.pushed[at] = '>'
		}
		over = over || len(c.pushed) > maxPushed
	})
	if over {
		c.s.opts.Logger.Warn("a subscriber does not take its messages", "client", c.nc.RemoteAddr().String())
		c.kill()
	}
}

func pubsub(c *call) error {
	ch := &c.s.channels
	ch.mu.RLock()
	defer ch.mu.RUnlock()
	switch sub := c.args[1]; {
	case is(sub, "CHANNELS") && len(c.args) <= 3:
		var names []string
		for name := range ch.names {
			if len(c.args) < 3 || matches(c.args[2], []byte(name)) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		c.out.array(len(names))
		c.texts(names)
	case is(sub, "NUMSUB"):
		c.out.array(2 * (len(c.args) - 2))
		for _, a := range c.args[2:] {
			c.out.bulk(a)
			c.out.int(int64(len(ch.names[string(a)])))
		}
	case is(sub, "NUMPAT") && len(c.args) == 2:
		c.out.int(int64(len(ch.patterns)))
	default:
		return errSubcommand("PUBSUB", sub, "CHANNELS", "NUMPAT")
	}
	return nil
}

// The classes of events, in the order of their bits.
const eventClasses = "KEg$lshzxetmdn"

// eventBits returns the classes that a text of letters names; A is most of them.
func eventBits(text []byte) (bits uint32, ok bool) {
	for _, b := range text {
		if b == 'A' {
			for _, a := range []byte("g$lshzxetd") {
				bits |= 1 << slices.Index([]byte(eventClasses), a)
			}
			continue
		}
		i := slices.Index([]byte(eventClasses), b)
		if i < 0 {
			return 0, false
		}
		bits |= 1 << i
	}
	return bits, true
}

// eventText is the text of classes, as CONFIG GET shows it.
func eventText(bits uint32) string {
	var text []byte
	all, _ := eventBits([]byte{'A'})
	if bits&all == all {
		text, bits = append(text, 'A'), bits&^all
	}
	for i := range eventClasses {
		if bits&(1<<i) != 0 {
			text = append(text, eventClasses[i])
		}
	}
	return string(text)
}

// notify publishes a change as an event.
func (s *Server) notify(bits uint32, ch change) {
	if ch.event == "" {
		return
	}
	class := uint32(1) << slices.Index([]byte(eventClasses), ch.class)
	if bits&class == 0 {
		return
	}
	label := spaceLabel(ch.space)
	if bits&1 != 0 { // K
		s.publish([]byte("__keyspace@"+label+"__:"+string(ch.key)), []byte(ch.event))
	}
	if bits&2 != 0 { // E
		s.publish([]byte("__keyevent@"+label+"__:"+ch.event), ch.key)
	}
}
