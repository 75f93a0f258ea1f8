package conformance

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// exchange is a command as Redis takes it, with the answer Siltstone has given.
type exchange struct {
	args []any
	want string
	norm func(v any, err error) string // of the reply; nil: as it is
}

// command makes a call with random arguments and says what to ask Redis. Where
// chance decides, Redis is told what Siltstone chose.
type command func(g *gen, a typedtest.API) []exchange

// gen draws arguments: few of each, so that calls meet, and the odd ones.
type gen struct {
	*rand.Rand
	keys []string // if set, every key is one of these
	kind string   // what the command is about; keys of that kind are more likely
}

func pickOne[T any](g *gen, from ...T) T { return from[g.IntN(len(from))] }

func several[T any](g *gen, one func() T) []T {
	all := make([]T, 1+g.IntN(4))
	for i := range all {
		all[i] = one()
	}
	return all
}

func (g *gen) key() string {
	if g.keys != nil {
		return pickOne(g, g.keys...)
	}
	kind := g.kind
	if kind == "key" || g.IntN(4) == 0 {
		kind = pickOne(g, "string", "hash", "set", "zset", "list")
	}
	if g.IntN(3) > 0 {
		return kind + pickOne(g, "1", "2", "3")
	}
	return pickOne(g, "a", "b", "c", "d", "a\x00", "user:1", "\xff\xff", "n1", "n2")
}

// named is a key whose scores are mostly all 0, for ranges by name.
func (g *gen) named() string {
	if g.keys != nil {
		return g.key()
	}
	return pickOne(g, "n1", "n2")
}

func (g *gen) member() string {
	return pickOne(g, "", "\x00", "a", "b", "c", "a\x00", "a\x00b", "\xff", "\xff\xff", "1", "m1", "m2", "m3", "m4")
}

func (g *gen) score() float64 {
	return pickOne(g, 0, 0, 1, -1, 1.5, 2, 3, -2.5, 1e300, -1e300, 5e-324, 0.1, 1.0/3, 123456789012345680,
		math.Inf(1), math.Inf(-1), math.Copysign(0, -1))
}

func (g *gen) value() string {
	return pickOne(g, "", "0", "1", "10", "-7", "3.5", "-0.25", "1e3", "abc", "01", "+1", " 1", "-0", "1 ", ".5", "5.",
		"\x00\xff", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "long long long long value")
}

func (g *gen) position() int64 {
	if g.IntN(30) == 0 {
		return pickOne[int64](g, math.MaxInt64, math.MinInt64, 1<<40)
	}
	return int64(g.IntN(15) - 7)
}

// deadline is one that tests do not live to see, or one that is over.
func (g *gen) deadline() int64 {
	if g.IntN(5) == 0 {
		return pickOne[int64](g, 1, 1000, 1_600_000_000_000)
	}
	return 4_000_000_000_000 + int64(g.IntN(5))
}

func args(list ...any) []any { return list }

// with appends names to arguments.
func with(head []any, names ...string) []any {
	for _, n := range names {
		head = append(head, n)
	}
	return head
}

func one(want string, norm func(any, error) string, a ...any) []exchange {
	return []exchange{{a, want, norm}}
}

// commands are all of them, by what they are about.
var commands = []struct {
	kind string
	list []command
}{
	{"key", keyCommands}, {"string", stringCommands}, {"hash", hashCommands},
	{"set", setCommands}, {"zset", zsetCommands}, {"zset", zsetMoreCommands}, {"list", listCommands},
}

// any makes any command.
func (g *gen) any(a typedtest.API) []exchange {
	kind := commands[g.IntN(len(commands))]
	g.kind = kind.kind
	return kind.list[g.IntN(len(kind.list))](g, a)
}

var keyCommands = []command{
	callRenameNX, callTouch, callExpireIf, callRandomKey, callKeysSetNX,
	func(g *gen, a typedtest.API) []exchange {
		k := g.key()
		typ, err := a.Key(k).Type()
		if err != nil {
			typ = typed.TypeNone
		}
		return one(strconv.Quote(typ.String()), nil, "TYPE", k)
	},
	func(g *gen, a typedtest.API) []exchange {
		names := several(g, g.key)
		return one(count(a.Keys().Exists(names...)), nil, with(args("EXISTS"), names...)...)
	},
	func(g *gen, a typedtest.API) []exchange {
		names := several(g, func() string { return pickOne(g, g.key(), "none such", "none other") })
		return one(count(a.Keys().Drop(names...)), nil, with(args(pickOne(g, "DEL", "UNLINK")), names...)...)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, at := g.key(), g.deadline()
		return one(done(a.Key(k).ExpireAt(time.UnixMilli(at))), nil, "PEXPIREAT", k, at)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, ttl := g.key(), pickOne(g, 0, -1, -100000)
		if g.IntN(3) > 0 {
			k = "none such"
		}
		return one(done(a.Key(k).Expire(time.Duration(ttl)*time.Second)), nil, "EXPIRE", k, ttl)
	},
	callDeadline,
	func(g *gen, a typedtest.API) []exchange {
		k := g.key()
		return one(flag(a.Key(k).Persist()), nil, "PERSIST", k)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, to := g.key(), g.key()
		return one(status(a.Key(k).Rename(to)), nil, "RENAME", k, to)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, to, replace := g.key(), g.key(), g.IntN(2) == 0
		cmd := args("COPY", k, to)
		if replace {
			cmd = append(cmd, "REPLACE")
		}
		return one(flag(a.Key(k).CopyTo(to, replace)), nil, cmd...)
	},
	func(g *gen, a typedtest.API) []exchange {
		match := pickOne(g, "*", "set*", "zset?", "*list*", "[ab]", "[^ab]", "a*", "?", "none*", "*1", "\\a", "[a-c]", "n[1-2]")
		name := func(k typed.Key) string { return strconv.Quote(k.Name()) }
		return []exchange{
			{args("KEYS", match), loop(a.Keys().All(typed.KeyOptions{Match: match}), name), sorted},
			{args("KEYS", "*"), count(a.Keys().Count()), many}, // DBSIZE, see TestDeviations
		}
	},
	func(g *gen, a typedtest.API) []exchange {
		names := several(g, g.key)
		values, err := a.Keys().Get(names...)
		return one(list(values, err, bytesText), nil, with(args("MGET"), names...)...)
	},
	func(g *gen, a typedtest.API) []exchange {
		var set []typed.Pair
		cmd := args("MSET")
		for range 1 + g.IntN(2) {
			k, v := g.key(), g.value()
			set = append(set, typed.Pair{Name: k, Value: []byte(v)})
			cmd = append(cmd, k, v)
		}
		return one(status(a.Keys().Set(set...)), nil, cmd...)
	},
}

// callDeadline asks when a key expires, and whether it does.
func callDeadline(g *gen, a typedtest.API) []exchange {
	k := g.key()
	at, err := a.Key(k).Deadline()
	want := count(at.UnixMilli(), nil)
	switch {
	case err != nil:
		want = "-2"
	case at.IsZero():
		want = "-1"
	}
	sign := func(v any, err error) string {
		if n, ok := v.(int64); ok && n >= 0 {
			return "some"
		}
		return reply(v, err)
	}
	ttl, err := a.Key(k).TTL()
	left := "some"
	switch {
	case err != nil:
		left = "-2"
	case ttl == typed.NoTTL:
		left = "-1"
	}
	return []exchange{{args("PEXPIRETIME", k), want, nil}, {args("PTTL", k), left, sign}}
}

var stringCommands = []command{
	callGetSet, callGetDel, callGetExpire, callSetRange, callLCS,
	callSetBit, callBitCount, callBitPos, callBitOp,
	func(g *gen, a typedtest.API) []exchange {
		k := g.key()
		return []exchange{
			{args("GET", k), blob(a.String(k).Get()), nil},
			{args("STRLEN", k), count(a.String(k).Len()), nil},
		}
	},
	callSet, callSet,
	func(g *gen, a typedtest.API) []exchange {
		k, v := g.key(), g.value()
		if n, err := a.String(k).Len(); err == nil && n > 200 {
			v = ""
		}
		return one(count(a.String(k).Append([]byte(v))), nil, "APPEND", k, v)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, start, stop := g.key(), g.position(), g.position()
		if n, err := a.String(k).Len(); err == nil && stop < 0 && stop < -n {
			return nil // see TestDeviations
		}
		return one(blob(a.String(k).Range(start, stop)), nil, "GETRANGE", k, start, stop)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, by := g.key(), pickOne[int64](g, 1, -1, 100, math.MaxInt64, math.MinInt64, 0)
		return one(count(a.String(k).Incr(by)), nil, "INCRBY", k, by)
	},
	func(g *gen, a typedtest.API) []exchange {
		k := g.key()
		return one(count(a.String(k).Incr(-5)), nil, "DECRBY", k, 5)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, by := g.key(), g.fraction()
		if old, err := a.String(k).Get(); err == nil && !plain(old) {
			return nil
		}
		sum, err := a.String(k).IncrFloat(by)
		if err != nil {
			return one(refusal(err), float, "INCRBYFLOAT", k, decimal(by))
		}
		text, err := a.String(k).Get()
		// What Redis makes of it has more digits, see TestDeviations.
		return []exchange{
			{args("INCRBYFLOAT", k, decimal(by)), nearly(sum, text), near(sum)},
			{args("SET", k, string(text), "KEEPTTL"), status(err), nil},
		}
	},
}

// fraction is an increment.
func (g *gen) fraction() float64 {
	return pickOne(g, 0.1, 0.5, -0.25, 3, 1e3, -1e-5, 1.1, 0, math.Inf(1))
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// plain reports whether a value is no number, or one that both keep exactly.
func plain(old []byte) bool {
	f, err := strconv.ParseFloat(string(old), 64)
	if err != nil {
		return !errors.Is(err, strconv.ErrRange)
	}
	return len(old) <= 16 && math.Abs(f) < 1e14
}

// fewDigits is below which a sum's text is the same to the last digit.
const fewDigits = 64

// nearly is what is compared of a sum: its text, or if there are many digits the
// number.
func nearly(sum float64, text []byte) string {
	if f, err := strconv.ParseFloat(string(text), 64); err != nil || f != sum {
		return fmt.Sprintf("the sum %v, stored as %q", sum, text)
	}
	if math.Abs(sum) < fewDigits {
		return bytesText(text)
	}
	return fmt.Sprintf("%.15g", sum)
}

func near(sum float64) func(v any, err error) string {
	return func(v any, err error) string {
		s, ok := v.(string)
		if f, perr := strconv.ParseFloat(s, 64); ok && perr == nil && math.Abs(sum) >= fewDigits {
			return fmt.Sprintf("%.15g", f)
		}
		return reply(v, err)
	}
}

// callSet is SET with every option.
func callSet(g *gen, a typedtest.API) []exchange {
	k, v := g.key(), g.value()
	var o typed.SetOptions
	cmd := args("SET", k, v)
	switch g.IntN(4) {
	case 0:
		o.Cond, cmd = typed.CondNX, append(cmd, "NX")
	case 1:
		o.Cond, cmd = typed.CondXX, append(cmd, "XX")
	}
	if o.Get = g.IntN(3) == 0; o.Get {
		cmd = append(cmd, "GET")
	}
	switch g.IntN(4) {
	case 0:
		at := g.deadline()
		o.At, cmd = time.UnixMilli(at), append(cmd, "PXAT", at)
	case 1:
		o.KeepTTL, cmd = true, append(cmd, "KEEPTTL")
	}
	r, err := a.String(k).SetWith([]byte(v), o)
	want := `"OK"`
	switch {
	case err != nil:
		want = refusal(err)
	case o.Get:
		want = blob(r.Old, nil)
	case !r.Written:
		want = "(nil)"
	}
	return one(want, nil, cmd...)
}
