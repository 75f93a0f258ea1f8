package resp

import (
	"math/rand/v2"
	"strings"
)

// differentialCommands are what TestRandomCommandsReplyAsRedisDoes draws from. A word of
// one capital stands for an argument, see odd; words in brackets may be left out, and * behind a bracket
// lets it come up to three times.
var differentialCommands = []string{
	"SET K V [NX] [XX] [GET] [EX T] [PXAT T] [KEEPTTL]", "SET K V", "SETNX K V", "SETEX K T V", "PSETEX K T V", "GET K", "GETSET K V", "GETDEL K",
	"GETEX K [PERSIST] [EX T] [PX T] [EXAT T]", "MGET K [K]*", "MSET K V [K V]*", "MSETNX K V [K V]*", "APPEND K V", "STRLEN K",
	"GETRANGE K I I", "SUBSTR K I I", "SETRANGE K I V", "INCR K", "DECR K", "INCRBY K N", "DECRBY K N", "INCRBYFLOAT K F",
	"LCS K K [LEN] [IDX] [MINMATCHLEN N] [WITHMATCHLEN]",
	"SETBIT K I I", "SETBIT K C 1", "GETBIT K I", "BITCOUNT K [I I] [BIT] [BYTE]", "BITPOS K I [I] [I] [BIT]", "BITPOS K 1 I I BIT",
	"BITOP O K K [K]*", "BITFIELD K [OVERFLOW U] [GET B I] [SET B I N] [INCRBY B I N]", "BITFIELD_RO K [GET B I]* [SET B I N]",
	"DEL K [K]*", "UNLINK K [K]*", "EXISTS K [K]*", "TOUCH K [K]*", "TYPE K", "RENAME K K", "RENAMENX K K", "COPY K K [REPLACE] [DB I]", "MOVE K I",
	"KEYS P", "DBSIZE", "EXPIRE K T [NX] [XX] [GT] [LT]", "PEXPIRE K T [NX] [XX] [GT] [LT]", "EXPIREAT K T [NX] [GT]", "PEXPIREAT K T [LT]", "TTL K", "PTTL K",
	"EXPIRETIME K", "PEXPIRETIME K", "PERSIST K", "SORT K [BY P] [LIMIT I I] [GET P]* [ASC] [DESC] [ALPHA] [STORE K]", "SORT_RO K [LIMIT I I] [DESC] [ALPHA]",
	"SCAN Z [MATCH P] [COUNT N] [TYPE Y]", "HSCAN K Z [MATCH P] [COUNT N]", "SSCAN K Z [MATCH P] [COUNT N]", "ZSCAN K Z [MATCH P] [COUNT N]",
	"HSET K M V [M V]*", "HMSET K M V [M V]*", "HSETNX K M V", "HGET K M", "HMGET K M [M]*", "HGETALL K", "HKEYS K", "HVALS K", "HDEL K M [M]*",
	"HEXISTS K M", "HLEN K", "HSTRLEN K M", "HINCRBY K M N", "HINCRBYFLOAT K M F", "HRANDFIELD K [N] [WITHVALUES]",
	"SADD K M [M]*", "SADD K N [N]*", "SREM K M [M]*", "SMEMBERS K", "SCARD K", "SISMEMBER K M", "SMISMEMBER K M [M]*", "SMOVE K K M", "SPOP K X", "SRANDMEMBER K [N]",
	"SINTER K [K]*", "SUNION K [K]*", "SDIFF K [K]*", "SINTERSTORE K K [K]*", "SUNIONSTORE K K [K]*", "SDIFFSTORE K K [K]*", "SINTERCARD C K K [LIMIT I]",
	"ZADD K [NX] [XX] [GT] [LT] [CH] [INCR] S M [S M]*", "ZADD K S M [S M]*", "ZINCRBY K S M", "ZREM K M [M]*", "ZCARD K", "ZSCORE K M", "ZMSCORE K M [M]*", "ZRANK K M", "ZREVRANK K M",
	"ZPOPMIN K [I]", "ZPOPMAX K [I]", "ZMPOP C K K D [COUNT I]", "ZRANDMEMBER K [N] [WITHSCORES]",
	"ZRANGE K I I [REV] [WITHSCORES] [LIMIT I I]", "ZRANGE K R R BYSCORE [REV] [WITHSCORES] [LIMIT I I]", "ZRANGE K L L BYLEX [REV] [WITHSCORES] [LIMIT I I]",
	"ZREVRANGE K I I [WITHSCORES]", "ZRANGEBYSCORE K R R [WITHSCORES] [LIMIT I I]", "ZREVRANGEBYSCORE K R R [WITHSCORES] [LIMIT I I]",
	"ZRANGEBYLEX K L L [LIMIT I I]", "ZREVRANGEBYLEX K L L [LIMIT I I]", "ZRANGESTORE K K I I [REV]", "ZRANGESTORE K K R R BYSCORE [REV] [LIMIT I I]",
	"ZCOUNT K R R", "ZLEXCOUNT K L L", "ZREMRANGEBYRANK K I I", "ZREMRANGEBYSCORE K R R", "ZREMRANGEBYLEX K L L",
	"ZUNION C K K [WEIGHTS S S] [AGGREGATE A] [WITHSCORES]", "ZINTER C K K [WEIGHTS S S] [AGGREGATE A] [WITHSCORES]", "ZDIFF C K K [WITHSCORES]", "ZINTERCARD C K K [LIMIT I]",
	"ZUNIONSTORE K C K K [WEIGHTS S S] [AGGREGATE A]", "ZINTERSTORE K C K K [WEIGHTS S S] [AGGREGATE A]", "ZDIFFSTORE K C K K",
	"LPUSH K V [V]*", "RPUSH K V [V]*", "RPUSH K V [V]*", "LPUSHX K V", "RPUSHX K V [V]*", "LPOP K [I]", "RPOP K [I]", "LLEN K", "LINDEX K I", "LRANGE K I I", "LSET K I V",
	"LINSERT K W V V", "LREM K I V", "LTRIM K I I", "LPOS K V [RANK I] [COUNT I] [MAXLEN I]", "LMOVE K K E E", "RPOPLPUSH K K", "LMPOP C K K E [COUNT I]",
	"BLPOP K K X", "BRPOP K X", "BLMOVE K K E E X", "BRPOPLPUSH K K X", "BLMPOP X C K K E [COUNT I]", "BZPOPMIN K X", "BZPOPMAX K K X", "BZMPOP X C K K D [COUNT I]",
	"MULTI", "EXEC", "EXEC", "DISCARD", "WATCH K [K]", "UNWATCH", "PING [M]", "ECHO M", "SELECT I", "SELECT 0", "PUBLISH M M", "PUBSUB NUMSUB M", "PUBSUB CHANNELS", "PUBSUB NUMPAT",
	"OBJECT REFCOUNT K", "DUMP missing", "RESTORE K T V", "CONFIG GET notify-keyspace-events", "CLIENT SETNAME M", "CLIENT GETNAME", "RANDOMKEY", "FLUSHDB", "FLUSHALL [ASYNC]",
	"HELLO N", "AUTH M", "COMMAND GETKEYS SET K V", "COMMAND GETKEYS ZMPOP C K K MIN",
}

// odd are the arguments that a word stands for: what is usual, and what is on an edge.
var odd = map[string][]string{
	"K": {"a", "b", "s1", "s2", "h1", "h2", "t1", "t2", "z1", "z2", "l1", "l2", "none"},
	"V": {"", "0", "1", "10", "-7", "3.5", "abc", "01", "+1", " 1", "-0", "9223372036854775807", "-9223372036854775808", "a b", "\x00\xff", "x\r\ny", "ohmytext", "mynewtext"},
	"M": {"", "a", "b", "c", "aa", "b\x00", "1", "2", "10", "-5", "\xff"},
	"N": {"0", "1", "-1", "2", "5", "-3", "10", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "x", "", "1.5", "01", "+1", " 1"},
	"I": {"0", "1", "-1", "2", "3", "-2", "5", "-100", "100", "9223372036854775807", "-9223372036854775808", "x", ""},
	"C": {"2", "2", "2", "2", "2", "1", "0", "-1", "3", "x"},
	"T": {"100", "1000000", "4102444800", "4102444800000", "0", "-1", "x", "9223372036854775807", "-9223372036854775808", "9223372036854775", "1.5", ""},
	"F": {"0.5", "1", "-1.25", "3", "inf", "-inf", "nan", "1e3", "x", "", " 1", "1 ", "0x10", "+2", ".5", "5."},
	"S": {"0", "1", "1", "2", "-1", "1.5", "3", "inf", "-inf", "+inf", "nan", "x", "", "1e3", "0x10", "-0x10", "1e400", " 1", "1 ", "-0", "+2", "infinity"},
	"R": {"-inf", "+inf", "inf", "0", "1", "(1", "2", "(2", "(-inf", "(+inf", "nan", "x", "", "(", "1.5", "((1", "1x", "0x1"},
	"L": {"-", "+", "[a", "[b", "(a", "(b", "[", "(", "a", "", "[aa", "-x", "+x", "[\xff"},
	"P": {"*", "a*", "?", "[a-b]", "[^a]*", "\\*", "", "nosort", "#", "w_*", "w_*->f", "*[", "[b-a]1", "h1->*", "*1"},
	"Z": {"0", "0", "0", "x", "", "1.5"},
	"X": {"0.01", "0.001", "-1", "x", "", "nan"},
	"E": {"LEFT", "RIGHT", "left", "x"}, "W": {"BEFORE", "AFTER", "x"}, "D": {"MIN", "MAX", "x"}, "A": {"SUM", "MIN", "max", "x"}, "U": {"WRAP", "SAT", "fail", "x"},
	"O": {"AND", "OR", "xor", "NOT", "x"}, "B": {"u8", "i8", "u1", "i64", "u63", "u64", "i0", "x", "i5", "u-1", "i65", "U8"}, "Y": {"string", "hash", "set", "x", "LIST"},
}

// oddCommand draws a command: most are right, some have an argument too many or too few, or
// one that belongs elsewhere.
func oddCommand(r *rand.Rand) []string {
	var args []string
	words := strings.Fields(differentialCommands[r.IntN(len(differentialCommands))])
	for i := 0; i < len(words); {
		n, most := 1, 1
		if words[i][0] == '[' {
			for ; !strings.Contains(words[i+n-1], "]"); n++ {
			}
			if most = r.IntN(5) / 3; strings.HasSuffix(words[i+n-1], "*") {
				most = r.IntN(4)
			}
		}
		for range most {
			for _, w := range words[i : i+n] {
				args = append(args, oddWord(r, strings.Trim(w, "[]*")))
			}
		}
		i += n
	}
	at := r.IntN(len(args))
	switch r.IntN(25) {
	case 0:
		args = append(args[:max(at, 1)], args[min(max(at, 1)+1, len(args)):]...)
	case 1:
		args = append(args, args[at])
	case 2:
		if at > 0 {
			args[at] = oddWord(r, string("KVMNIFTSRLP"[r.IntN(11)]))
		}
	}
	for i := range args { // a key without a name is none here
		if args[i] == "" && (i == 1 || r.IntN(3) > 0) {
			args[i] = "e"
		}
	}
	return args
}

func oddWord(r *rand.Rand, w string) string {
	from := odd[w]
	if from == nil {
		return w
	}
	if w == "N" || w == "I" || w == "T" || w == "S" { // the first are the usual ones
		if r.IntN(3) > 0 {
			return from[r.IntN(4)]
		}
	}
	return from[r.IntN(len(from))]
}
