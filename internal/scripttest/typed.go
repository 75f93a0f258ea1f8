package scripttest

import (
	"fmt"
	"iter"
	"strings"

	"github.com/siltstonedb/siltstone/typed"
)

// The commands on typed values are called as in Redis where there is such one.

// The first argument is the key.
func (c *call) key() typed.Key     { return c.typed().Key(c.words[0]) }
func (c *call) text() typed.String { return c.typed().String(c.words[0]) }
func (c *call) hash() typed.Hash   { return c.typed().Hash(c.words[0]) }
func (c *call) set() typed.Set     { return c.typed().Set(c.words[0]) }
func (c *call) zset() typed.ZSet   { return c.typed().ZSet(c.words[0]) }
func (c *call) list() typed.List   { return c.typed().List(c.words[0]) }

func (c *call) int(i int) int64     { return number[int64](c.words[i]) }
func (c *call) score(i int) float64 { return number[float64](c.words[i]) }

// anyCommands are those of strings, and of keys of any type.
var anyCommands = map[string]command{
	"incr": {"KEY BY", func(c *call) (string, error) {
		return answered(c.text().Incr(c.int(1)))
	}},
	"append":       {"KEY VALUE", func(c *call) (string, error) { return answered(c.text().Append(c.bytes(1))) }},
	"set":          {"KEY VALUE", func(c *call) (string, error) { return silent(c.text().Set(c.bytes(1))) }},
	"type":         {"KEY", func(c *call) (string, error) { return answered(c.key().Type()) }},
	"expire-typed": {"KEY TTL", func(c *call) (string, error) { return silent(c.key().Expire(duration(c.words[1]))) }},
	"drop":         {"KEY", func(c *call) (string, error) { return answered(c.key().Drop()) }},
	"rename":       {"KEY TO", func(c *call) (string, error) { return silent(c.key().Rename(c.words[1])) }},
	"copy":         {"KEY TO", func(c *call) (string, error) { return answered(c.key().CopyTo(c.words[1], true)) }},
	"keys":         {"[GLOB]", keys},
}

func keys(c *call) (string, error) {
	var names []string
	for k, err := range c.typed().Keys().All(typed.KeyOptions{Match: c.arg(0)}) {
		if err != nil {
			return "", err
		}
		names = append(names, show([]byte(k.Name())))
	}
	return wrap(names), nil
}

// looped shows what a loop over elements yields.
func looped[T any](loop iter.Seq2[T, error], text func(T) string) (string, error) {
	var words []string
	for e, err := range loop {
		if err != nil {
			return "", err
		}
		words = append(words, text(e))
	}
	return wrap(words), nil
}

func joined(lines []string) string {
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, "\n")
}

var hashCommands = map[string]command{
	"hset": {"KEY FIELD VALUE [FIELD-VALUE]...", hset},
	"hset-ttl": {"KEY FIELD VALUE TTL", func(c *call) (string, error) {
		return answered(c.hash().SetTTL(c.words[1], c.bytes(2), duration(c.words[3])))
	}},
	"hget": {"KEY FIELD", func(c *call) (string, error) { return answered(c.hash().Get(c.words[1])) }},
	"hdel": {"KEY FIELD...", func(c *call) (string, error) { return answered(c.hash().Remove(c.words[1:]...)) }},
	"hlen": {"KEY", func(c *call) (string, error) { return answered(c.hash().Len()) }},
	"hincr": {"KEY FIELD BY", func(c *call) (string, error) {
		return answered(c.hash().Incr(c.words[1], c.int(2)))
	}},
	"hall": {"KEY", func(c *call) (string, error) { return looped(c.hash().All(), showField) }},
	"hcount": {"KEY", func(c *call) (string, error) {
		return counted(c.hash().Fields(), c.hash().Len)
	}},
	"httl": {"KEY FIELD", httl},
}

func showField(f typed.Field) string { return showKV([]byte(f.Name), f.Value, nil) }

func hset(c *call) (string, error) {
	if len(c.words)%2 == 0 {
		mistake("a field without a value")
	}
	var fields []typed.Field
	for i := 1; i < len(c.words); i += 2 {
		fields = append(fields, typed.Field{Name: c.words[i], Value: c.bytes(i + 1)})
	}
	return answered(c.hash().SetMany(fields...))
}

func httl(c *call) (string, error) {
	d, err := c.hash().FieldTTL(c.words[1])
	if err != nil {
		return "", err
	}
	return showTTL(d), nil
}

// counted shows how many elements a loop yields, the first and the last, and fails
// if the collection counts otherwise.
func counted[T any](loop iter.Seq2[T, error], length func() (int64, error)) (string, error) {
	var all []T
	for e, err := range loop {
		if err != nil {
			return "", err
		}
		all = append(all, e)
	}
	n, err := length()
	switch {
	case err != nil:
		return "", err
	case int(n) != len(all):
		return "", fmt.Errorf("it shows %d elements and counts %d", len(all), n)
	case n == 0:
		return "0", nil
	}
	return fmt.Sprintf("%d, %v to %v", n, all[0], all[n-1]), nil
}

var setCommands = map[string]command{
	"spop": {"KEY COUNT", spop},
	"sadd": {"KEY MEMBER...", func(c *call) (string, error) { return answered(c.set().Add(c.words[1:]...)) }},
	"sadd-ttl": {"KEY TTL MEMBER...", func(c *call) (string, error) {
		return answered(c.set().AddTTL(duration(c.words[1]), c.words[2:]...))
	}},
	"srem": {"KEY MEMBER...", func(c *call) (string, error) { return answered(c.set().Remove(c.words[1:]...)) }},
	"shas": {"KEY MEMBER", func(c *call) (string, error) { return answered(c.set().Has(c.words[1])) }},
	"slen": {"KEY", func(c *call) (string, error) { return answered(c.set().Len()) }},
	"sall": {"KEY", func(c *call) (string, error) { return looped(c.set().All(), showName) }},
	"scount": {"KEY", func(c *call) (string, error) {
		return counted(c.set().All(), c.set().Len)
	}},
	"smove": {"KEY TO MEMBER", func(c *call) (string, error) {
		return answered(c.set().MoveTo(c.words[1], c.words[2]))
	}},
	"sunion": {"KEY OTHER...", func(c *call) (string, error) {
		return looped(c.set().Union(c.words[1:]...), showName)
	}},
	"sinter": {"KEY OTHER...", func(c *call) (string, error) {
		return looped(c.set().Inter(c.words[1:]...), showName)
	}},
}

// spop takes members, and tells how many, for which they are is drawn by lot.
func spop(c *call) (string, error) {
	members, err := c.set().Pop(number[int](c.words[1]))
	return answered(len(members), err)
}

func showName(name string) string { return show([]byte(name)) }

var zsetCommands = map[string]command{
	"zadd": {"KEY SCORE MEMBER [SCORE-MEMBER]...", zadd},
	"zincr": {"KEY MEMBER BY", func(c *call) (string, error) {
		return answered(c.zset().Incr(c.words[1], c.score(2)))
	}},
	"zscore": {"KEY MEMBER", func(c *call) (string, error) { return answered(c.zset().Score(c.words[1])) }},
	"zrem":   {"KEY MEMBER...", func(c *call) (string, error) { return answered(c.zset().Remove(c.words[1:]...)) }},
	"zlen":   {"KEY", func(c *call) (string, error) { return answered(c.zset().Len()) }},
	"zrank":  {"KEY MEMBER", func(c *call) (string, error) { return answered(c.zset().Rank(c.words[1])) }},
	"zrange": {"KEY START STOP", func(c *call) (string, error) {
		return looped(c.zset().Range(typed.ByRank(c.int(1), c.int(2))), showMember)
	}},
	"zbetween": {"KEY MIN MAX", func(c *call) (string, error) {
		return looped(c.zset().Range(typed.ByScore(c.score(1), c.score(2))), showMember)
	}},
	"zpopmin": {"KEY COUNT", zpopmin},
	"zcount": {"KEY", func(c *call) (string, error) {
		return counted(c.zset().All(), c.zset().Len)
	}},
}

func showMember(m typed.Member) string { return fmt.Sprintf("%s=%v", show([]byte(m.Name)), m.Score) }

func zadd(c *call) (string, error) {
	if len(c.words)%2 == 0 {
		mistake("a score without a member")
	}
	var members []typed.Member
	for i := 1; i < len(c.words); i += 2 {
		members = append(members, typed.Member{Score: number[float64](c.words[i]), Name: c.words[i+1]})
	}
	return answered(c.zset().AddMany(0, members...))
}

func zpopmin(c *call) (string, error) {
	members, err := c.zset().PopMin(number[int](c.words[1]))
	if err != nil {
		return "", err
	}
	var words []string
	for _, m := range members {
		words = append(words, showMember(m))
	}
	return wrap(words), nil
}

var listCommands = map[string]command{
	"rpush": {"KEY VALUE...", func(c *call) (string, error) { return answered(c.list().PushBack(c.values()...)) }},
	"lpush": {"KEY VALUE...", func(c *call) (string, error) { return answered(c.list().PushFront(c.values()...)) }},
	"lpop":  {"KEY", func(c *call) (string, error) { return answered(c.list().PopFront()) }},
	"rpop":  {"KEY", func(c *call) (string, error) { return answered(c.list().PopBack()) }},
	"llen":  {"KEY", func(c *call) (string, error) { return answered(c.list().Len()) }},
	"lat": {"KEY INDEX", func(c *call) (string, error) {
		return answered(c.list().At(c.int(1)))
	}},
	"lset": {"KEY INDEX VALUE", func(c *call) (string, error) {
		return silent(c.list().SetAt(c.int(1), c.bytes(2)))
	}},
	"linsert": {"KEY BEFORE VALUE", func(c *call) (string, error) {
		return answered(c.list().InsertBefore(c.bytes(1), c.bytes(2)))
	}},
	"lrem": {"KEY COUNT VALUE", func(c *call) (string, error) {
		return answered(c.list().Remove(number[int](c.words[1]), c.bytes(2)))
	}},
	"lrange": {"KEY START STOP", func(c *call) (string, error) {
		return looped(c.list().Range(c.int(1), c.int(2)), show)
	}},
}

// values are the arguments behind the first.
func (c *call) values() (all [][]byte) {
	for i := 1; i < len(c.words); i++ {
		all = append(all, c.bytes(i))
	}
	return all
}
