package resp

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
)

// The version of Redis whose commands the server has. Clients look at it.
const redisVersion = "7.2.0"

// The commands about the server.
var serverCommands = []command{
	{"info", -1, reads, 0, 0, 0, info},
	{"time", 1, reads, 0, 0, 0, timeCommand},
	{"config", -2, danger, 0, 0, 0, configCommand},
	{"function", -2, reads, 0, 0, 0, function},
	{"waitaof", 4, reads, 0, 0, 0, waitAOF},
	{"memory", -2, reads, 2, 2, 1, memory},
	{"object", -2, reads, 2, 2, 1, object},
}

func timeCommand(c *call) error {
	now := time.Now()
	c.out.array(2)
	c.out.text(itoa(now.Unix()))
	c.out.text(itoa(int64(now.Nanosecond() / 1000)))
	return nil
}

// function answers those who clear a server before a test: there are no functions.
func function(c *call) error {
	switch {
	case is(c.args[1], "FLUSH"):
		c.out.ok()
	case is(c.args[1], "LIST"):
		c.out.array(0)
	default:
		return errSubcommand("FUNCTION", c.args[1])
	}
	return nil
}

// waitAOF makes everything durable that was written before.
func waitAOF(c *call) error {
	for i := 1; i < 4; i++ {
		if _, err := c.int(i); err != nil {
			return err
		}
	}
	if c.tx == nil {
		if err := c.s.db.Sync(); err != nil {
			return err
		}
	}
	c.out.array(2)
	c.out.int(1)
	c.out.int(0)
	return nil
}

// memory answers MEMORY USAGE with the bytes of the name and the value: what is in memory of
// them is the store's business.
func memory(c *call) error {
	if !is(c.args[1], "USAGE") || len(c.args) < 3 {
		return errSubcommand("MEMORY", c.args[1])
	}
	var p payload
	err := c.view(func(s siltstone.ReadWriter) error {
		kind, err := s.Key(c.key(2)).Type()
		if err != nil {
			return err
		}
		p.most = c.s.opts.MaxCommandBytes
		return p.write(s, c.key(2), kind)
	})
	if err != nil {
		return c.orNull(nil, err)
	}
	c.out.int(int64(len(p.b) + len(c.args[2])))
	return nil
}

// section is a part of INFO.
type section struct {
	name  string
	usual bool // shown without being asked for
	write func(c *call, b *strings.Builder) error
}

var sections = []section{
	{"server", true, infoServer},
	{"clients", true, infoClients},
	{"memory", true, infoMemory},
	{"persistence", true, infoPersistence},
	{"stats", true, infoStats},
	{"replication", true, func(_ *call, b *strings.Builder) error {
		b.WriteString("role:master\r\nconnected_slaves:0\r\n")
		return nil
	}},
	{"keyspace", false, infoKeyspace},
}

func info(c *call) error {
	asked := map[string]bool{}
	for _, a := range c.args[1:] {
		asked[strings.ToLower(string(a))] = true
	}
	everything := asked["all"] || asked["everything"]
	usual := len(asked) == 0 || asked["default"]
	var b strings.Builder
	for _, s := range sections {
		if !everything && !asked[s.name] && !(usual && s.usual) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		fmt.Fprintf(&b, "# %s\r\n", strings.ToUpper(s.name[:1])+s.name[1:])
		if err := s.write(c, &b); err != nil {
			return err
		}
	}
	c.out.verbatim(b.String())
	return nil
}

func infoServer(c *call, b *strings.Builder) error {
	up := int64(time.Since(c.s.started).Seconds())
	fmt.Fprintf(b, "redis_version:%s\r\nredis_mode:standalone\r\nserver_name:siltstone\r\nos:%s\r\narch_bits:64\r\ngo_version:%s\r\n",
		redisVersion, runtime.GOOS, runtime.Version())
	fmt.Fprintf(b, "process_id:%d\r\nuptime_in_seconds:%d\r\nuptime_in_days:%d\r\n", os.Getpid(), up, up/86400)
	return nil
}

func infoClients(c *call, b *strings.Builder) error {
	blocked := 0
	all := c.s.clients()
	for _, o := range all {
		if c.s.interest.waiting(o) {
			blocked++
		}
	}
	fmt.Fprintf(b, "connected_clients:%d\r\nmaxclients:%d\r\nblocked_clients:%d\r\n", len(all), c.s.opts.MaxClients, blocked)
	return nil
}

func infoMemory(c *call, b *strings.Builder) error {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	o := c.s.db.Options()
	fmt.Fprintf(b, "used_memory:%d\r\nused_memory_rss:%d\r\nclient_buffers:%d\r\nstore_memory_limit:%d\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n",
		m.HeapAlloc, m.Sys-m.HeapReleased, c.s.buffers.Load(), o.MemoryLimit)
	return nil
}

func infoPersistence(c *call, b *strings.Builder) error {
	m := c.s.db.Metrics()
	fmt.Fprintf(b, "loading:0\r\naof_enabled:1\r\nstore_disk_bytes:%d\r\nstore_write_amplification:%.2f\r\nstore_durability:%s\r\n",
		m.Disk.Total(), m.WriteAmplification(), c.s.durability())
	return nil
}

// durability is the level that the reply to a write waits for.
func (s *Server) durability() siltstone.Durability {
	if s.opts.Durability != siltstone.DefaultDurability {
		return s.opts.Durability
	}
	return s.db.Options().Durability
}

func infoStats(c *call, b *strings.Builder) error {
	ran := c.s.commands.Load()
	for _, o := range c.s.clients() {
		ran += o.ran.Load()
	}
	c.s.channels.mu.RLock()
	names, patterns := len(c.s.channels.names), len(c.s.channels.patterns)
	c.s.channels.mu.RUnlock()
	fmt.Fprintf(b, "total_connections_received:%d\r\nrejected_connections:%d\r\ntotal_commands_processed:%d\r\npubsub_channels:%d\r\npubsub_patterns:%d\r\n",
		c.s.served.Load(), c.s.refused.Load(), ran, names, patterns)
	return nil
}

// infoKeyspace counts keys, which costs a walk over them: it is shown to those who ask.
func infoKeyspace(c *call, b *strings.Builder) error {
	names, err := c.s.db.Keyspaces()
	if err != nil {
		return err
	}
	for _, name := range append([]string{""}, names...) {
		var rw siltstone.ReadWriter = c.s.db
		if name != "" {
			ks, err := c.s.db.Keyspace(name)
			if absent(err) {
				continue
			}
			if err != nil {
				return err
			}
			rw = ks
		}
		n, err := rw.Keys().Count()
		if err != nil {
			return err
		}
		if n > 0 {
			fmt.Fprintf(b, "db%s:keys=%d,expires=0,avg_ttl=0\r\n", spaceLabel(name), n)
		}
	}
	return nil
}
