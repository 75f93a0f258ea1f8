package conformance

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

var (
	typedKeys typed.KeyOptions
	setNX     = typed.SetOptions{Cond: typed.CondNX}
)

// whole asks for all that a key holds, and when it expires.
func whole(a typedtest.API, k string) (all []exchange) {
	typ, err := a.Key(k).Type()
	if err != nil {
		return one(strconv.Quote("none"), nil, "TYPE", k)
	}
	at, err := a.Key(k).Deadline()
	deadline := count(at.UnixMilli(), err)
	if at.IsZero() {
		deadline = "-1"
	}
	all = []exchange{{args("TYPE", k), strconv.Quote(typ.String()), nil}, {args("PEXPIRETIME", k), deadline, nil}}
	switch typ {
	case typed.TypeString:
		all = append(all, exchange{args("GET", k), blob(a.String(k).Get()), nil})
	case typed.TypeHash:
		all = append(all, exchange{args("HGETALL", k), loop(a.Hash(k).All(), fieldText), pairs})
	case typed.TypeSet:
		all = append(all, exchange{args("SMEMBERS", k), loop(a.Set(k).All(), strconv.Quote), sorted})
	case typed.TypeZSet:
		members := loop(a.ZSet(k).Range(typed.ByRank(0, -1)), memberText)
		all = append(all, exchange{args("ZRANGE", k, 0, -1, "WITHSCORES"), members, scores})
	case typed.TypeList:
		all = append(all, exchange{args("LRANGE", k, 0, -1), loop(a.List(k).Range(0, -1), bytesText), nil})
	}
	return all
}

// same fails the test if Redis answers one of the exchanges otherwise.
func (j *judged) same(all ...exchange) {
	j.t.Helper()
	for _, e := range all {
		if err := j.ask([]exchange{e}, false); err != nil {
			j.t.Error(err)
		}
	}
}

// populate gives both stores a key of each type and nothing else.
func (j *judged) populate() {
	j.t.Helper()
	if _, err := j.db.Keys().Drop(everyType...); err != nil {
		j.t.Fatal(err)
	}
	if err := typedtest.Populate(j.db); err != nil {
		j.t.Fatal(err)
	}
	if _, err := j.db.Key("hash").Persist(); err != nil {
		j.t.Fatal(err)
	}
	pipe := j.redis.Pipeline()
	pipe.FlushAll(bg)
	for _, cmd := range [][]any{
		args("SET", "string", "10"), args("HSET", "hash", "f", "1", "g", ""), args("SADD", "set", "a", "b", "c"),
		args("ZADD", "zset", 1, "a", 2, "b", 3, "c"), args("RPUSH", "list", "x", "y", "z"),
	} {
		pipe.Do(bg, cmd...)
	}
	if _, err := pipe.Exec(bg); err != nil {
		j.t.Fatal(err)
	}
}

// everyType names the keys of populate, and one that is not there.
var everyType = []string{"string", "hash", "set", "zset", "list", "none"}

// TestEveryCommandOnKeysOfEveryType makes each command on a key of each type and
// on none, and on several of them: each must refuse what Redis refuses, and say
// so in the same words.
func TestEveryCommandOnKeysOfEveryType(t *testing.T) {
	j := newJudged(t, startRedis(t), 1)
	rounds := 4
	if *long {
		rounds = 100
	}
	for range rounds {
		for _, c := range slices.Concat(keyCommands, stringCommands, hashCommands, setCommands, zsetCommands, listCommands) {
			for _, k := range append(everyType, "") {
				j.g.keys = everyType
				if k != "" {
					j.g.keys = []string{k}
				}
				j.populate()
				err := j.ask(c(j.g, j.db), false)
				if err == nil {
					err = j.everything()
				}
				if err != nil {
					t.Fatalf("key %q: %v", k, err)
				}
			}
		}
	}
}

func TestFractionsAreWrittenAsRedisWritesThem(t *testing.T) {
	j := newJudged(t, startRedis(t), 1)
	rng := rand.New(rand.NewPCG(1, 2))
	texts := []string{"0", "-0", "3", "3.0", "10.50", "5.0e3", ".1", "-.1", "1.", "1e1", "1E-5", "00012", "-0.0", "1e-7", "0.30000000000000004",
		"4e-18", "-1e-30", "1e-400", "-1e-4950", "0.02e-4948", "0e-5000", "-0.000e-99999"}
	for i := range 300 {
		text := strconv.FormatFloat(rng.NormFloat64()*10, 'f', rng.IntN(15), 64)
		if i < len(texts) {
			text = texts[i]
		}
		by := math.Round(rng.NormFloat64()*1000) / pickOne(j.g, 1.0, 10, 100, 1000)
		if math.Abs(by) >= fewDigits/2 {
			by = 0.1
		}
		if i%3 == 0 && i > len(texts) { // below 1 both write as many digits
			text = strconv.FormatFloat(rng.Float64()/2, 'f', rng.IntN(18), 64)
			by = pickOne(j.g, 2.0/3, 1.0/3e5, 1e-10/3, 1.7e-17, -1.7e-17, 4e-18, 1e-30, 5e-324)
		}
		if err := j.db.String("k").Set([]byte(text)); err != nil {
			t.Fatal(err)
		}
		j.same(exchange{args("SET", "k", text), `"OK"`, nil})
		sum, err := j.db.String("k").IncrFloat(by)
		if err != nil {
			t.Fatalf("%q + %v: %v", text, by, err)
		}
		v, err := j.db.String("k").Get()
		if err != nil {
			t.Fatal(err)
		}
		j.same(exchange{args("INCRBYFLOAT", "k", decimal(by)), nearly(sum, v), near(sum)})
	}
	for _, text := range []string{"", " 1", "1 ", "abc", "1e", "e1", "--1", "1_000", "1,5", "+", "-", ".", "nan", "1\x00",
		"1e-5000", "-1e-5000", "1e-4951", "0.1e-4950", "0.00001e-4946", "1e-99999999999999999999"} {
		if err := j.db.String("k").Set([]byte(text)); err != nil {
			t.Fatal(err)
		}
		_, err := j.db.String("k").IncrFloat(1)
		j.same(exchange{args("SET", "k", text), `"OK"`, nil}, exchange{args("INCRBYFLOAT", "k", 1), refusal(err), nil})
	}
}

// TestScoresJoinAsInRedis compares the algebra of sorted sets of different sizes:
// in which order scores are summed, and what becomes of those that are no number.
func TestScoresJoinAsInRedis(t *testing.T) {
	j := newJudged(t, startRedis(t), 1)
	j.g.keys = []string{"k0", "k1", "k2", "k3"}
	for range 60 {
		for _, k := range j.g.keys {
			if _, err := j.db.Key(k).Drop(); err != nil {
				t.Fatal(err)
			}
			pipe := j.redis.Pipeline()
			pipe.Do(bg, "DEL", k)
			for i := range 1 + j.g.IntN(6) {
				m := typed.Member{Name: strconv.Itoa(j.g.IntN(4) + 10*(i/4)), Score: j.g.score()}
				if _, err := j.db.ZSet(k).Add(m.Name, m.Score+0); err != nil {
					t.Fatal(err)
				}
				pipe.Do(bg, "ZADD", k, decimal(m.Score+0), m.Name)
			}
			if _, err := pipe.Exec(bg); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			j.same(callZCombine(j.g, j.db)...)
		}
		j.same(callZStore(j.g, j.db)...)
	}
}

// TestPatternsMatchAsInRedis compares globs of every kind, whole and broken.
func TestPatternsMatchAsInRedis(t *testing.T) {
	j := newJudged(t, startRedis(t), 1)
	word := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[j.g.IntN(len(alphabet))]
		}
		return string(b)
	}
	for range 60 {
		k := word("ab-^[]*?\\!c", 1+j.g.IntN(4))
		if err := j.db.String(k).Set(nil); err != nil {
			t.Fatal(err)
		}
		j.same(exchange{args("SET", k, ""), `"OK"`, nil})
	}
	name := func(k typed.Key) string { return strconv.Quote(k.Name()) }
	for range 3000 {
		match := word("ab-^[]*?\\!c", 1+j.g.IntN(7))
		got := loop(j.db.Keys().All(typed.KeyOptions{Match: match}), name)
		j.same(exchange{args("KEYS", match), got, sorted})
	}
}

// TestKeysExpireInBothStores gives keys of each type the same deadline and
// compares when it is over.
func TestKeysExpireInBothStores(t *testing.T) {
	j := newJudged(t, startRedis(t), 1)
	j.populate()
	deadline := time.Now().Add(50 * time.Millisecond)
	for _, k := range []string{"string", "hash", "set", "zset", "list"} {
		j.same(exchange{args("PEXPIREAT", k, deadline.UnixMilli()), done(j.db.Key(k).ExpireAt(time.UnixMilli(deadline.UnixMilli()))), nil})
	}
	<-time.After(time.Until(deadline) + 5*time.Millisecond)
	for _, k := range []string{"string", "hash", "set", "zset", "list"} {
		j.same(whole(j.db, k)...)
		j.same(exchange{args("EXISTS", k), count(j.db.Keys().Exists(k)), nil})
	}
	for _, k := range []string{"string", "hash", "set", "zset", "list"} {
		j.same(exchange{args("SADD", k, "m"), count(j.db.Set(k).Add("m")), nil})
		j.same(whole(j.db, k)...)
	}
}

// TestDeviations shows that what the documentation lists as different is.
func TestDeviations(t *testing.T) {
	j := newJudged(t, startRedis(t), 1)
	differ := func(what string, redis string, ours string, wantRedis, wantOurs string) {
		t.Helper()
		if redis != wantRedis || ours != wantOurs {
			t.Errorf("%s: redis answers %s, the list says %s; siltstone %s, the list says %s", what, redis, wantRedis, ours, wantOurs)
		}
	}
	ask := func(cmd ...any) string { return reply(j.redis.Do(bg, cmd...).Result()) }
	set := func(v string) typed.String {
		if err := j.db.String("k").Set([]byte(v)); err != nil {
			t.Fatal(err)
		}
		ask("SET", "k", v)
		return j.db.String("k")
	}
	k := set("1000.1")
	if _, err := k.IncrFloat(0); err != nil {
		t.Fatal(err)
	}
	differ("sum", ask("INCRBYFLOAT", "k", 0), blob(k.Get()), `"1000.09999999999999998"`, `"1000.1"`)
	_, err := set("inf").IncrFloat(1)
	differ("inf", ask("INCRBYFLOAT", "k", 1), refusal(err), "!NAN", "!NUMBER")
	_, err = set("0x10").IncrFloat(1)
	differ("hexadecimal", ask("INCRBYFLOAT", "k", 1), refusal(err), `"17"`, "!NUMBER")
	_, err = set("1e400").IncrFloat(1)
	differ("beyond float64", ask("INCRBYFLOAT", "k", 1)[:2], refusal(err), `"1`, "!NUMBER")
	k = set("abc")
	differ("end before the first byte", ask("GETRANGE", "k", 0, -9), blob(k.Range(0, -9)), `"a"`, `""`)
	differ("bits before the first", ask("BITCOUNT", "k", 0, -9), count(k.BitCount(typed.ByBytes(0, -9))), "3", "0")
	_, err = j.db.String("none").GetExpire(0)
	differ("no time to live", ask("GETEX", "none", "PX", 0), refusal(err), "(nil)", "!TTL")
	differ("bit offset", ask("GETBIT", "k", 1<<32), flag(k.Bit(1<<32)), "!RANGE", "0")
	k = set(strings.Repeat("x", 12_000))
	differ("long values in common", ask("LCS", "k", "k", "LEN"), count(k.LCSLen("k")), "!TOOLARGE", "12000")
	k = set("abc")
	past := time.UnixMilli(1000)
	if _, err := k.SetWith(nil, typed.SetOptions{At: past}); err != nil {
		t.Fatal(err)
	}
	ask("SET", "k", "", "PXAT", past.UnixMilli())
	differ("keys that have expired", ask("DBSIZE"), count(j.db.Keys().Count()), "1", "0")

	z := j.db.ZSet("z")
	member := strings.Repeat("m", 100) // in a small set without long members Redis forgets the sign
	_, err = z.Add(member, math.Copysign(0, -1))
	if err != nil {
		t.Fatal(err)
	}
	ask("ZADD", "z", "-0", member)
	score, err := z.Score(member)
	differ("negative zero", ask("ZSCORE", "z", member), strconv.Quote(strconv.FormatFloat(score, 'g', -1, 64)), `"-0"`, `"0"`)
	if err != nil {
		t.Fatal(err)
	}
}
