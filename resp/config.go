package resp

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// config is what CONFIG GET and SET know: what clients ask for.
type config struct {
	events atomic.Uint32 // notify-keyspace-events, as bits

	mu     sync.Mutex
	values map[string]string
}

// The names of Redis 6 for values that have others since.
var configAliases = map[string]string{
	"hash-max-ziplist-entries": "hash-max-listpack-entries", "hash-max-ziplist-value": "hash-max-listpack-value",
	"zset-max-ziplist-entries": "zset-max-listpack-entries", "zset-max-ziplist-value": "zset-max-listpack-value",
	"list-max-ziplist-size": "list-max-listpack-size",
}

// The numbers from which on OBJECT ENCODING names another encoding. The store has none of
// them; tests of clients look.
var encodingLimits = map[string]string{
	"hash-max-listpack-entries": "512", "hash-max-listpack-value": "64",
	"zset-max-listpack-entries": "128", "zset-max-listpack-value": "64",
	"set-max-intset-entries": "512", "list-max-listpack-size": "-2",
}

// What test suites set, and what has no meaning here. It is taken with Options.Debug.
var ignoredConfig = []string{
	"appendonly", "save", "list-compress-depth", "lua-time-limit", "busy-reply-threshold", "maxmemory", "proto-max-bulk-len",
	"client-query-buffer-limit", "replica-serve-stale-data", "rdb-key-save-delay", "appendfsync", "timeout", "maxmemory-policy",
}

func (cf *config) init(o *Options) {
	cf.values = map[string]string{
		"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory": "0", "maxmemory-policy": "noeviction", "list-compress-depth": "0",
		"lua-time-limit": "5000", "busy-reply-threshold": "5000", "replica-serve-stale-data": "yes", "rdb-key-save-delay": "0",
		"databases": itoa(int64(o.Databases)), "maxclients": itoa(int64(o.MaxClients)), "timeout": itoa(max(int64(o.IdleTimeout.Seconds()), 0)),
		"proto-max-bulk-len": itoa(int64(o.MaxCommandBytes)), "client-query-buffer-limit": itoa(int64(o.MaxCommandBytes)),
		"notify-keyspace-events": "",
	}
	for name, value := range encodingLimits {
		cf.values[name] = value
	}
}

// limit returns a number of the encodings.
func (cf *config) limit(name string) int64 {
	cf.mu.Lock()
	defer cf.mu.Unlock()
	n, _ := parseInt([]byte(cf.values[name]))
	return n
}

// get returns names and values that match a pattern, in order.
func (cf *config) get(patterns [][]byte) (found []string) {
	cf.mu.Lock()
	defer cf.mu.Unlock()
	all := map[string]string{}
	for name, value := range cf.values {
		all[name] = value
	}
	for old, name := range configAliases {
		all[old] = cf.values[name]
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if slices.ContainsFunc(patterns, func(p []byte) bool { return matches([]byte(strings.ToLower(string(p))), []byte(name)) }) {
			found = append(found, name, all[name])
		}
	}
	return found
}

// set changes a value, if it is one that can be changed.
func (cf *config) set(name, value string, debug bool) error {
	name = strings.ToLower(name)
	if other, ok := configAliases[name]; ok {
		name = other
	}
	cf.mu.Lock()
	defer cf.mu.Unlock()
	switch {
	case name == "notify-keyspace-events":
		bits, ok := eventBits([]byte(value))
		if !ok {
			return replyError("ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
		}
		cf.events.Store(bits)
		value = eventText(bits)
	case encodingLimits[name] != "":
		if _, ok := parseInt([]byte(value)); !ok {
			return replyError("ERR CONFIG SET failed (possibly related to argument '" + name + "') - argument couldn't be parsed into an integer")
		}
	case !debug || !slices.Contains(ignoredConfig, name):
		return replyError("ERR Unknown option or number of arguments for CONFIG SET - '" + name + "'")
	}
	cf.values[name] = value
	return nil
}

func configCommand(c *call) error {
	sub, n := c.args[1], len(c.args)
	switch {
	case is(sub, "GET") && n > 2:
		found := c.s.config.get(c.args[2:])
		c.out.pairs(len(found) / 2)
		c.texts(found)
	case is(sub, "SET") && n > 3 && n%2 == 0:
		for i := 2; i < n; i += 2 {
			if err := c.s.config.set(c.key(i), c.key(i+1), c.s.opts.Debug); err != nil {
				return err
			}
		}
		c.out.ok()
	case is(sub, "RESETSTAT") && n == 2:
		c.out.ok()
	default:
		return errSubcommand("CONFIG", sub, "GET", "SET", "RESETSTAT")
	}
	return nil
}
