package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// redisCommands are those of Redis 7.2, without subcommands, and those of 7.4 and
// 8.0 about the times to live of fields.
const redisCommands = `
	COPY DEL DUMP EXISTS EXPIRE EXPIREAT EXPIRETIME KEYS MIGRATE MOVE OBJECT PERSIST PEXPIRE PEXPIREAT
	PEXPIRETIME PTTL RANDOMKEY RENAME RENAMENX RESTORE SCAN SORT SORT_RO TOUCH TTL TYPE UNLINK WAIT WAITAOF
	APPEND DECR DECRBY GET GETDEL GETEX GETRANGE GETSET INCR INCRBY INCRBYFLOAT LCS MGET MSET MSETNX
	PSETEX SET SETEX SETNX SETRANGE STRLEN SUBSTR
	BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS GETBIT SETBIT
	HDEL HEXISTS HGET HGETALL HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HRANDFIELD HSCAN HSET HSETNX
	HSTRLEN HVALS
	HEXPIRE HEXPIREAT HEXPIRETIME HGETDEL HGETEX HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HSETEX HTTL
	SADD SCARD SDIFF SDIFFSTORE SINTER SINTERCARD SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SPOP
	SRANDMEMBER SREM SSCAN SUNION SUNIONSTORE
	BZMPOP BZPOPMAX BZPOPMIN ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD ZINTERSTORE
	ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK
	ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK
	ZSCAN ZSCORE ZUNION ZUNIONSTORE
	BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH LINDEX LINSERT LLEN LMOVE LMPOP LPOP LPOS LPUSH LPUSHX LRANGE LREM
	LSET LTRIM RPOP RPOPLPUSH RPUSH RPUSHX
	DISCARD EXEC MULTI UNWATCH WATCH
	ACL BGREWRITEAOF BGSAVE COMMAND CONFIG DBSIZE DEBUG FAILOVER FLUSHALL FLUSHDB INFO LASTSAVE LATENCY LOLWUT
	MEMORY MODULE MONITOR PSYNC REPLCONF REPLICAOF RESTORE-ASKING ROLE SAVE SHUTDOWN SLAVEOF SLOWLOG SWAPDB
	SYNC TIME
	AUTH CLIENT ECHO HELLO PING QUIT RESET SELECT
	ASKING CLUSTER READONLY READWRITE
	PSUBSCRIBE PUBLISH PUBSUB PUNSUBSCRIBE SPUBLISH SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE UNSUBSCRIBE
	EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO FUNCTION SCRIPT
	GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH
	GEOSEARCHSTORE
	PFADD PFCOUNT PFDEBUG PFMERGE PFSELFTEST
	XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP XINFO XLEN XPENDING XRANGE XREAD XREADGROUP XREVRANGE XSETID XTRIM`

// redisPage is what docs/redis.md says.
type redisPage struct {
	rows  map[string][]string // command → calls; empty: none
	twice []string            // commands that stand in it more than once
	bare  []string            // rows with neither calls nor a reason
	calls map[string]bool     // all that looks like a call, wherever it stands
}

// inTicks is what a document shows as code.
var inTicks = regexp.MustCompile("`([^`]+)`")

// aCall is a method, a field of options or a function that makes a range.
var aCall = regexp.MustCompile(`^([A-Z]\w*\.[A-Z]\w*|By[A-Z]\w*)$`)

func ticked(cell string) (found []string) {
	for _, m := range inTicks.FindAllStringSubmatch(cell, -1) {
		found = append(found, m[1])
	}
	return found
}

func readRedisPage(text string) redisPage {
	p := redisPage{rows: map[string][]string{}, calls: map[string]bool{}}
	for line := range strings.Lines(text) {
		for _, word := range ticked(line) {
			if aCall.MatchString(word) {
				p.calls[word] = true
			}
		}
		cells := strings.Split(line, "|")
		if len(cells) != 5 || len(ticked(cells[1])) == 0 {
			continue // no row of commands
		}
		calls := ticked(cells[2])
		if len(calls) == 0 && (strings.TrimSpace(cells[2]) != "none" || strings.TrimSpace(cells[3]) == "") {
			p.bare = append(p.bare, strings.TrimSpace(line))
		}
		for _, command := range ticked(cells[1]) {
			if _, ok := p.rows[command]; ok {
				p.twice = append(p.twice, command)
			}
			p.rows[command] = calls
		}
	}
	return p
}

// apiOf returns the exported functions, methods and fields of the packages in the
// directories, by the name a document calls them, with their doc comments.
func apiOf(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	api := map[string]string{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				addAPI(api, d)
			}
		}
	}
	return api
}

func addAPI(api map[string]string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			recv := d.Recv.List[0].Type
			if p, ok := recv.(*ast.StarExpr); ok {
				recv = p.X
			}
			if id, ok := recv.(*ast.Ident); ok {
				name = id.Name + "." + name
			}
		}
		if d.Name.IsExported() {
			api[name] = d.Doc.Text()
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			typ, ok := s.(*ast.TypeSpec)
			if !ok {
				continue
			}
			if st, ok := typ.Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					for _, n := range f.Names {
						if n.IsExported() {
							api[typ.Name.Name+"."+n.Name] = ""
						}
					}
				}
			}
		}
	}
}

// bracketed returns the commands that a doc comment ends with: "[SET NX, GETSET]".
func bracketed(doc string) (commands []string) {
	m := regexp.MustCompile(`(?s)\[([A-Z][^\]]*)\]\s*$`).FindStringSubmatch(doc)
	if m == nil {
		return nil
	}
	for part := range strings.SplitSeq(m[1], ",") {
		commands = append(commands, strings.Fields(part)[0])
	}
	return commands
}

func redisPageOf(t *testing.T) redisPage {
	t.Helper()
	text, err := os.ReadFile("docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	return readRedisPage(string(text))
}

func TestEveryRedisCommandStandsOnceInItsPage(t *testing.T) {
	p := redisPageOf(t)
	commands := strings.Fields(redisCommands)
	for _, c := range commands {
		if _, ok := p.rows[c]; !ok {
			t.Errorf("%s is missing", c)
		}
	}
	for c := range p.rows {
		if !slices.Contains(commands, c) {
			t.Errorf("%s is no command of Redis", c)
		}
	}
	if len(p.twice) > 0 || len(p.bare) > 0 {
		t.Errorf("more than once: %v; neither call nor reason: %v", p.twice, p.bare)
	}
}

func TestEveryCallOfTheRedisPageExists(t *testing.T) {
	p, api := redisPageOf(t), apiOf(t, ".", "typed")
	for call := range p.calls {
		if _, ok := api[call]; !ok {
			t.Errorf("there is no %s", call)
		}
	}
	for command, calls := range p.rows {
		for _, call := range calls {
			if !p.calls[call] {
				t.Errorf("%s: %q does not look like a call", command, call)
			}
		}
	}
}

func TestEveryTypedCallStandsInTheRedisPage(t *testing.T) {
	p, seen := redisPageOf(t), 0
	for call := range apiOf(t, "typed") {
		recv, _, ok := strings.Cut(call, ".")
		if !ok || !slices.Contains([]string{"Key", "Keys", "String", "Hash", "Set", "ZSet", "List"}, recv) {
			continue
		}
		if seen++; !p.calls[call] {
			t.Errorf("%s is missing", call)
		}
	}
	if seen < 100 {
		t.Errorf("only %d calls found", seen)
	}
}

// TestDocCommentsAgreeWithTheRedisPage: a call whose comment names a command
// stands in the row of it.
func TestDocCommentsAgreeWithTheRedisPage(t *testing.T) {
	p, seen := redisPageOf(t), 0
	for call, doc := range apiOf(t, "typed") {
		for _, command := range bracketed(doc) {
			if seen++; !slices.Contains(p.rows[command], call) {
				t.Errorf("the comment of %s names %s, the page has %v for it", call, command, p.rows[command])
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d commands found in comments", seen)
	}
}
