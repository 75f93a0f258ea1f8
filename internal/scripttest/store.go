package scripttest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/explain"
	"github.com/siltstonedb/siltstone/internal/quantity"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// storeCommands open, close and look after stores.
var storeCommands = map[string]command{
	"open":           {"OPTION...", func(c *call) (string, error) { return silent(c.open()) }},
	"close":          {"", func(c *call) (string, error) { return silent(c.close()) }},
	"reopen":         {"OPTION...", func(c *call) (string, error) { return silent(c.reopen()) }},
	"crash":          {"[killed]", crash},
	"settle":         {"WAY...", func(c *call) (string, error) { return silent(c.settle()) }},
	"forms":          {"", func(*call) (string, error) { return "", nil }},
	"advance":        {"DURATION", func(c *call) (string, error) { c.clock.advance(duration(c.words[0])); return "", nil }},
	"flush":          {"", func(c *call) (string, error) { return silent(c.db().Flush(background)) }},
	"compact":        {"[LOWER] [UPPER]", compact},
	"compact-tables": {"", func(c *call) (string, error) { return silent(c.knobs.CompactTables(c.db())) }},
	"step":           {"", func(c *call) (string, error) { return silent(c.knobs.Step(c.db())) }},
	"sync":           {"", func(c *call) (string, error) { return silent(c.db().Sync()) }},
	"check":          {"", func(c *call) (string, error) { return silent(c.db().Check(background)) }},
	"checkpoint":     {"DIR", func(c *call) (string, error) { return silent(c.db().Checkpoint(background, c.words[0])) }},
	"repair":         {"FROM TO", repair},
	"explain":        {"KEY", explainKey},
	"explain-in":     {"KEYSPACE KEY", func(c *call) (string, error) { return explained(c.db().ExplainIn(c.words[0], c.bytes(1))) }},
	"shape":          {"", shape},
	"size":           {"[LOWER] [UPPER]", estimate},
	"events":         {"", events},
	"handles":        {"", handles},
}

// open opens the target. Options stay for the next opening, but for readonly,
// must-exist and max-disk.
func (c *call) open() error {
	name := cmp.Or(c.target, mainStore)
	st := c.stores[name]
	if st == nil {
		st = &store{dir: name}
		c.stores[name] = st
	}
	if st.open {
		mistake("%q is open", name)
	}
	o := &st.opts
	o.ReadOnly, o.MustExist, o.MaxDiskBytes = false, false, 0
	for _, word := range c.words {
		st.set(word)
	}
	o.FS, o.Clock, o.OnEvent = c.faults, c.clock.Now, c.note
	c.knobs.Configure(o, st.sizes)
	db, err := siltstone.Open(st.dir, o)
	if err == nil {
		st.db, st.open = db, true
	}
	return err
}

// set sets an option.
func (st *store) set(word string) {
	name, value, _ := strings.Cut(word, "=")
	switch o := &st.opts; name {
	case "small": // a few keys make a table
		o.MemtableBytes, o.MemoryLimit = 4<<10, 8<<20
		st.sizes = Sizes{Block: 128, Table: 1 << 10, Runs: 2}
	case "dir":
		st.dir = value
	case "durability":
		o.Durability = level(value)
	case "memtable":
		o.MemtableBytes = size(value)
	case "memory":
		o.MemoryLimit = size(value)
	case "max-disk":
		o.MaxDiskBytes = size(value)
	case "runs":
		st.sizes.Runs = number[int](value)
	case "readonly":
		o.ReadOnly = true
	case "must-exist":
		o.MustExist = true
	default:
		mistake("there is no option %q", word)
	}
}

func (c *call) close() error {
	if c.target == "" || c.stores[c.target] != nil {
		return c.stores[cmp.Or(c.target, mainStore)].close()
	}
	switch w := c.find(c.target).(type) {
	case *siltstone.Snapshot:
		w.Close()
		return nil
	case *siltstone.Iterator:
		return w.Close()
	}
	mistake("%q cannot be closed", c.target)
	return nil
}

func (st *store) close() error {
	if st == nil || st.db == nil {
		mistake("the store was never open")
	}
	st.open = false
	return st.db.Close()
}

func (c *call) reopen() error {
	if err := c.close(); err != nil {
		return err
	}
	return c.open()
}

// crash cuts the power, or kills the process.
func crash(c *call) (string, error) {
	switch c.arg(0) {
	case "":
		c.cut(vfstest.P1)
	case "killed":
		c.cut(vfstest.P0)
	default:
		mistake("a crash is a power cut, or killed")
	}
	return "", nil
}

// settle brings what was written to where the way of this run wants it.
func (c *call) settle() error {
	if !slices.Contains(c.words, c.way) {
		return nil
	}
	c.words = nil
	switch c.way {
	case "memory":
		return nil
	case "table":
		return c.db().Flush(background)
	case "level":
		return c.db().Compact(background, siltstone.Range{})
	case "reopened":
		return c.reopen()
	case "cut":
		c.cut(vfstest.P1)
		return c.open()
	}
	mistake("there is no way %q to settle", c.way)
	return nil
}

func compact(c *call) (string, error) {
	what := on[interface {
		Compact(ctx context.Context, r siltstone.Range) error
	}](c)
	return silent(what.Compact(background, rangeOf(c.words)))
}

func repair(c *call) (string, error) {
	o := siltstone.Options{FS: c.faults, Clock: c.clock.Now}
	c.knobs.Configure(&o, Sizes{})
	r, err := siltstone.Repair(background, c.words[0], c.words[1], &o)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("complete: %s, may revive: %s", yesNo(r.Complete()), yesNo(r.MayRevive())), nil
}

// explainKey prints the explanation, and an error if Has says otherwise.
func explainKey(c *call) (string, error) {
	e, err := on[interface {
		Explain(key []byte) (explain.Explanation, error)
	}](c).Explain(c.bytes(0))
	if err != nil {
		return "", err
	}
	has, err := c.reader().Has(c.bytes(0))
	if err == nil && has != e.Verdict.Present {
		err = fmt.Errorf("whether there is the key, has says %s", yesNo(has))
	}
	text, _ := explained(e, nil)
	return text, err
}

func explained(e explain.Explanation, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(e.String(), "\n"), nil
}

// shape prints which memtables and runs there are.
func shape(c *call) (string, error) {
	m := c.db().Metrics()
	lines := []string{"memory: " + quantity.Count(m.Memtables.Records, "record")}
	if n := m.Memtables.Waiting; n > 0 {
		lines[0] += fmt.Sprintf(", %d full", n)
	}
	for _, r := range m.Runs {
		lines = append(lines, fmt.Sprintf("level %d: %s", r.Level, quantity.Count(r.Tables, "table")))
	}
	return strings.Join(lines, "\n"), nil
}

// estimate says whether the keys of a range take space on disk.
func estimate(c *call) (string, error) {
	n, err := on[interface {
		EstimateSize(r siltstone.Range) (int64, error)
	}](c).EstimateSize(rangeOf(c.words))
	switch {
	case err != nil:
		return "", err
	case n == 0:
		return "no bytes", nil
	}
	return "some bytes", nil
}

// note keeps an event, without the figures that say how large files are. Those of
// waiting depend on the machine.
func (s *session) note(e event.Event) {
	text := e.String()
	switch e := e.(type) {
	case event.SlowSync, event.StallBegin, event.StallEnd:
		return
	case event.FlushEnd:
		if e.Err == nil {
			text = fmt.Sprintf("flush of %s to %s", quantity.Count(e.Records, "record"), quantity.Count(e.Tables, "table"))
		}
	case event.CompactionEnd:
		if e.Err == nil {
			text = compaction(e)
		}
	}
	s.events = append(s.events, plain(text))
}

// compaction tells how many tables were taken from each run, and what became of
// them.
func compaction(e event.CompactionEnd) string {
	text := fmt.Sprintf("%s of tables %v (%s)", e.Kind, e.From, e.Reason)
	switch e.Kind {
	case "drop":
		return text
	case "move":
		return fmt.Sprintf("%s to level %d", text, e.ToLevel)
	}
	return fmt.Sprintf("%s to %s of level %d, %s gone", text, quantity.Count(e.Tables, "table"), e.ToLevel, quantity.Count(e.Dropped, "record"))
}

// events prints what happened since it was asked for last.
func events(c *call) (string, error) {
	text := strings.Join(c.session.events, "\n")
	c.session.events = nil
	return cmp.Or(text, "none"), nil
}

// handles prints how many iterators, snapshots and transactions are open.
func handles(c *call) (string, error) {
	m := c.db().Metrics().Open
	return fmt.Sprintf("iterators %d, snapshots %d, transactions %d", m.Iterators, m.Snapshots, m.Transactions), nil
}
