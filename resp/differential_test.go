package resp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	seeds "github.com/siltstonedb/siltstone/internal/seed"
)

// node is a reply that was taken apart.
type node struct {
	kind byte
	text string
	list []node
}

func (c *client) node() node {
	line, err := c.r.ReadString('\n')
	if err != nil || len(line) < 3 {
		c.t.Fatal(line, err)
	}
	n := node{kind: line[0], text: line[1 : len(line)-2]}
	length, _ := strconv.Atoi(n.text)
	if length < 0 && strings.ContainsRune("$*", rune(n.kind)) {
		return node{kind: n.kind, text: "nil"}
	}
	switch n.kind {
	case '$', '=':
		b := make([]byte, length+2)
		for at := 0; at < len(b); {
			k, err := c.r.Read(b[at:])
			if err != nil {
				c.t.Fatal(err)
			}
			at += k
		}
		n.text = string(b[:length])
	case '%':
		length *= 2
		fallthrough
	case '*', '~', '>':
		n.text = ""
		for range length {
			n.list = append(n.list, c.node())
		}
	}
	return n
}

func (n node) String() string {
	if n.list == nil {
		return fmt.Sprintf("%c%q", n.kind, n.text)
	}
	return fmt.Sprintf("%c%v", n.kind, n.list)
}

// same compares replies. Numbers with a fraction may be written in more digits.
func (n node) same(o node) bool {
	if n.kind != o.kind || len(n.list) != len(o.list) {
		return false
	}
	for i := range n.list {
		if !n.list[i].same(o.list[i]) {
			return false
		}
	}
	if n.text == o.text {
		return true
	}
	a, err := strconv.ParseFloat(n.text, 64)
	b, oerr := strconv.ParseFloat(o.text, 64)
	return err == nil && oerr == nil && n.kind != ':' && a == b
}

// sorted brings a list, of groups of so many elements, in order.
func (n node) sorted(group int) node {
	if len(n.list)%group != 0 {
		return n
	}
	n.list = slices.Clone(n.list)
	var groups [][]node
	for i := 0; i < len(n.list); i += group {
		groups = append(groups, slices.Clone(n.list[i:i+group]))
	}
	slices.SortFunc(groups, func(a, b []node) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	n.list = slices.Concat(groups...)
	return n
}

// comparable leaves out of a reply what Redis promises nothing of: the order of elements,
// which ones are drawn, and how much time has passed.
func comparable(args []string, n node) node {
	switch name := strings.ToLower(args[0]); name {
	case "smembers", "sinter", "sunion", "sdiff", "keys", "hkeys", "hvals":
		return n.sorted(1)
	case "sort", "sort_ro": // C takes a zero for the end of a string
		if n.kind == '*' {
			return node{kind: n.kind, text: fmt.Sprint(len(n.list))}
		}
	case "hgetall":
		return n.sorted(2)
	case "scan", "sscan", "hscan", "zscan":
		if len(n.list) == 2 {
			n.list = slices.Clone(n.list)
			n.list[0].text = "cursor"
			n.list[1] = node{kind: '*'}
		}
	case "hrandfield", "srandmember", "zrandmember", "randomkey":
		if len(n.list) > 0 || n.kind == '$' && n.text != "nil" {
			return node{kind: n.kind, text: fmt.Sprint(len(n.list))}
		}
	case "dbsize": // Redis counts what has expired
		n.text = "some"
	case "ttl", "pttl":
		if len(n.text) > 2 {
			return node{kind: n.kind, text: "some"}
		}
	case "expiretime", "pexpiretime":
		if len(n.text) > 2 && n.text < "3" {
			return node{kind: n.kind, text: "soon"}
		}
	}
	return n
}

// differs reports whether replies differ for a reason. Redis looks at some arguments before
// it looks at the key, and at others later, so that of two mistakes it tells another one. It
// takes some commands in MULTI that are refused here, and times beyond the year 2262.
func differs(args []string, redis, ours node) bool {
	name := strings.ToLower(args[0])
	if redis.kind == '-' && ours.kind == '-' {
		tellsType := func(n node) bool {
			return strings.HasPrefix(n.text, "WRONGTYPE") || strings.Contains(n.text, "must contain string values")
		}
		return tellsType(redis) != tellsType(ours) || redis.text == "ERR no such key" || strings.Contains(redis.text, "count should be") || strings.Contains(ours.text, "\x00") || name == "restore" || name == "incrbyfloat" || name == "select" || name == "copy" || name == "move" || name == "zrank" || name == "zrevrank" ||
			name == "zrange" && strings.Contains(ours.text, "LIMIT") || strings.Contains(ours.text, "transaction")
	}
	if ours.text == "QUEUED" { // of subcommands
		return name == "object" || name == "client" || name == "pubsub" || name == "config" || name == "command" || name == "zrank" || name == "zrevrank"
	}
	if strings.Contains(ours.text, "converted into double") {
		return true
	}
	nothing := redis.same(node{kind: ':', text: "0"}) || redis.text == "nil" || redis.kind == '_' || redis.text == "-1" ||
		len(redis.list) == 0 && strings.ContainsRune("*~%", rune(redis.kind)) || len(redis.list) == 2 && redis.list[0].text == "cursor"
	return ours.kind == '-' && (nothing || redis.text == "QUEUED" || strings.Contains(ours.text, "invalid expire time"))
}

// pair are a client of Redis and one of the server, which send the same commands.
type pair struct {
	redis, ours *client
	queued      [][]string // by MULTI
}

// compare sends a command to both. sure says that the replies are alike, and going on that
// the stores are, too.
func (p *pair) compare(args []string) (redis, ours node, alike, goOn bool) {
	p.redis.send(args...)
	p.ours.send(args...)
	redis, ours = p.redis.node(), p.ours.node()
	name := strings.ToLower(args[0])
	switch {
	case name == "hello" && redis.kind == ours.kind && redis.kind != '-':
		return redis, ours, true, true
	case redis.text == "QUEUED" && ours.text == "QUEUED":
		p.queued = append(p.queued, args)
		return redis, ours, true, true
	case name != "exec" || len(redis.list) != len(p.queued) || len(ours.list) != len(p.queued):
		if name == "exec" || name == "discard" {
			p.queued = nil
		}
		redis, ours = comparable(args, redis), comparable(args, ours)
		return redis, ours, redis.same(ours) || differs(args, redis, ours), redis.same(ours)
	}
	alike, goOn = true, true
	for i, args := range p.queued {
		a, b := comparable(args, redis.list[i]), comparable(args, ours.list[i])
		alike = alike && (a.same(b) || differs(args, a, b))
		goOn = goOn && a.same(b)
	}
	p.queued = nil
	return redis, ours, alike, goOn
}

// TestRandomCommandsReplyAsRedisDoes sends random commands with odd arguments to Redis and
// to the server, and compares the replies, also of errors. A round begins with empty stores.
func TestRandomCommandsReplyAsRedisDoes(t *testing.T) {
	redis := startRedis(t)
	if redis == "" {
		t.Skip("there is no redis-server 7.0 here to compare with")
	}
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	if *long {
		rounds = 5000
	}
	start := seeds.New(t)
	_, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
	for round := range rounds {
		r := rand.New(rand.NewPCG(start, uint64(round)))
		p := pair{redis: dial(t, redis), ours: dial(t, addr)}
		for _, c := range []*client{p.redis, p.ours} {
			c.pipeline("FLUSHALL", fmt.Sprint("HELLO ", 2+round%2))
		}
		var sent []string
		for range 300 {
			args := oddCommand(r)
			sent = append(sent, fmt.Sprintf("%q", args))
			redis, ours, alike, goOn := p.compare(args)
			if !alike {
				t.Errorf("%s\nours  %v\nredis %v", strings.Join(sent[max(0, len(sent)-10):], "\n"), ours, redis)
			}
			if !goOn {
				break
			}
		}
		p.redis.conn.Close()
		p.ours.conn.Close()
	}
}
