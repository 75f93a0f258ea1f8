package compaction

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/golden"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
)

// pickCase is a version and an input as testdata/pick.txt writes them.
type pickCase struct {
	version manifest.Version
	in      Input
	ranges  map[base.FileNum]*rangedel.List
	flush   *Span
}

var (
	runLine   = regexp.MustCompile(`^L(\d) #(\d+): (.*)$`)
	tableText = regexp.MustCompile(`^(\d+)\[([^-]*)-([^\])]*)([\])])(.*)$`)
	seqText   = regexp.MustCompile(`^(\d+)-(\d+)$`)
	expText   = regexp.MustCompile(`^(\d+)@(\d+)-(\d+)$`)
	rangeText = regexp.MustCompile(`^(.*)-(.*)#(\d+)$`)
)

// parsePick reads runs, "L0 #9: 31[a-k]:8M:del=100 …", and facts: "idle",
// "reads 24M" (what they have paid for), "now 50", "oldest 7@40" (read point), "manual a-c", "busy 31 a-k",
// "large 31,1" (there was no room for it), "flush a-c", "config runs=2 tiers=1".
//
// A table has a size (8M) and behind colons: n= puts (1000), del= tombstones,
// seq=from-to (its run's number), exp=count@from-to, meta= rows, coll= bytes,
// shadowed=, rt=a-c#9 (also several).
func parsePick(t *testing.T, lines []string) *pickCase {
	t.Helper()
	c := &pickCase{ranges: map[base.FileNum]*rangedel.List{}}
	c.in = Input{OldestReadSeq: base.SeqMax, OldestReadClock: 1 << 50, Now: 1000}
	tables := map[base.FileNum]*manifest.Table{}
	var merges [][]string
	for _, line := range lines {
		if m := runLine.FindStringSubmatch(line); m != nil {
			r := manifest.Run{Age: uint64(number(t, m[2])), Level: uint8(number(t, m[1]))}
			for _, text := range strings.Fields(m[3]) {
				table := c.parseTable(t, r, text)
				tables[table.Num] = table
				r.Tables = append(r.Tables, table)
			}
			c.version.Runs = append(c.version.Runs, r)
			continue
		}
		f := strings.Fields(line)
		switch f[0] {
		case "idle":
			c.in.Idle = true
		case "reads":
			c.in.ReadCredit = uint64(size(t, f[1]))
		case "now":
			c.in.Now = number(t, f[1])
		case "oldest":
			seq, clock, _ := strings.Cut(f[1], "@")
			c.in.OldestReadSeq, c.in.OldestReadClock = base.SeqNum(number(t, seq)), number(t, clock)
		case "manual":
			lo, hi, _ := strings.Cut(f[1], "-")
			c.in.Manual = &KeyRange{Lo: []byte(lo), Hi: []byte(hi)}
		case "flush":
			lo, hi, _ := strings.Cut(f[1], "-")
			c.flush = &Span{Lo: []byte(lo), Hi: []byte(hi)}
		case "busy", "large":
			merges = append(merges, f)
		case "config":
			c.parseConfig(t, f[1:])
		default:
			t.Fatalf("bad line %q", line)
		}
	}
	for _, f := range merges {
		m := &Compaction{Kind: KindMerge, Level: lastLevel}
		for _, n := range strings.Split(f[1], ",") {
			table, last := tables[base.FileNum(number(t, n))], len(m.Inputs)-1
			if last < 0 || m.Inputs[last].Age != table.Run {
				m.Inputs, last = append(m.Inputs, RunInput{Age: table.Run}), last+1
			}
			m.Inputs[last].Tables = append(m.Inputs[last].Tables, table)
		}
		if f[0] == "large" {
			c.in.TooLarge = append(c.in.TooLarge, m)
			continue
		}
		lo, hi, _ := strings.Cut(f[2], "-")
		m.Span = Span{Lo: []byte(lo), Hi: []byte(hi)}
		c.in.Busy = append(c.in.Busy, m)
	}
	c.in.RangeDeletes = func(table *manifest.Table) *rangedel.List { return c.ranges[table.Num] }
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *pickCase) check() error {
	for _, r := range c.version.Runs {
		for _, t := range r.Tables {
			t.ID = uint64(t.Num)
		}
	}
	return c.version.Check()
}

func (c *pickCase) parseConfig(t *testing.T, fields []string) {
	t.Helper()
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		n := size(t, value)
		switch name {
		case "runs":
			c.in.Config.FlushRuns = int(n)
		case "tiers":
			c.in.Config.TierRuns = int(n)
		case "input":
			c.in.Config.MaxInput = n
		case "last":
			c.in.Config.LastTableSize = n
		default:
			t.Fatalf("bad config %q", f)
		}
	}
}

// size reads "300", "8K", "8M".
func size(t *testing.T, text string) int64 {
	t.Helper()
	unit := int64(1)
	if n := len(text); n > 0 && text[n-1] == 'M' {
		text, unit = text[:n-1], 1<<20
	} else if n > 0 && text[n-1] == 'K' {
		text, unit = text[:n-1], 1<<10
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v * unit
}

func (c *pickCase) parseTable(t *testing.T, r manifest.Run, text string) *manifest.Table {
	t.Helper()
	m := tableText.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("bad table %q", text)
	}
	table := &manifest.Table{Num: base.FileNum(number(t, m[1])), Level: r.Level, Run: r.Age}
	table.Smallest, table.Largest, table.LargestExclusive = []byte(m[2]), []byte(m[3]), m[4] == ")"
	table.Size, table.Puts = 8<<20, 1000
	table.MinSeq, table.MaxSeq = base.SeqNum(r.Age), base.SeqNum(r.Age)
	var ranges []rangedel.Tombstone
	for _, f := range strings.Split(m[5], ":")[1:] {
		name, value, ok := strings.Cut(f, "=")
		if !ok {
			table.Size = uint64(size(t, f))
			continue
		}
		switch name {
		case "n":
			table.Puts = uint64(number(t, value))
		case "del":
			table.Deletes = uint64(number(t, value))
		case "meta":
			table.MetaRows = uint64(number(t, value))
		case "coll":
			table.CollectionBytes = uint64(size(t, value))
		case "shadowed":
			table.Shadowed = uint64(number(t, value))
		case "seq":
			s := seqText.FindStringSubmatch(value)
			table.MinSeq, table.MaxSeq = base.SeqNum(number(t, s[1])), base.SeqNum(number(t, s[2]))
		case "exp":
			e := expText.FindStringSubmatch(value)
			table.Expiring, table.MinExpiry, table.MaxExpiry = uint64(number(t, e[1])), number(t, e[2]), number(t, e[3])
		case "rt":
			s := rangeText.FindStringSubmatch(value)
			ranges = append(ranges, rangedel.Tombstone{Start: []byte(s[1]), End: []byte(s[2]), Seq: base.SeqNum(number(t, s[3]))})
			table.RangeDeletes++
			table.MaxSeq = max(table.MaxSeq, ranges[len(ranges)-1].Seq)
		default:
			t.Fatalf("bad property %q", f)
		}
	}
	c.ranges[table.Num] = rangedel.New(ranges)
	return table
}

func TestPicks(t *testing.T) {
	golden.Cases(t, "testdata/pick.txt", func(t *testing.T, given []string) string {
		c := parsePick(t, given)
		if c.flush != nil {
			return PlaceFlush(&c.version, c.in, *c.flush, c.version.NewestRun()+1, false).String()
		}
		return Pick(&c.version, c.in).String()
	})
}

// TestMetadataGoesUnreadOnlyWithItsElements covers a table of metadata rows with
// range tombstones that reach more or less far.
func TestMetadataGoesUnreadOnlyWithItsElements(t *testing.T) {
	named := keyenc.AppendKeyspacePrefix(nil, 7)
	other := keyenc.AppendKeyspacePrefix(nil, 8)
	for _, c := range []struct {
		name        string
		first, last []byte // of the table
		start, end  []byte // of the tombstone
		meta        uint64
		dropped     bool
	}{
		{"strings need the keys alone", row("a"), row("z"), row(""), row("zz"), 0, true},
		{"metadata needs more", row("a"), row("z"), row(""), row("zz"), 5, false},
		{"metadata with some elements", row("a"), row("z"), row(""), keyenc.AppendCollection(nil, nil, 99), 5, false},
		{"metadata with all elements", row("a"), row("z"), row(""), []byte{keyenc.SpaceElements + 1}, 5, true},
		{"a keyspace whole", keyenc.AppendKeyRow(nil, named, []byte("a")), keyenc.AppendKeyRow(nil, named, []byte("b")), named, base.Successor(named), 5, true},
		{"a keyspace's keys", keyenc.AppendKeyRow(nil, named, []byte("a")), keyenc.AppendKeyRow(nil, named, []byte("b")), named, append(slices.Clone(named), keyenc.SpaceElements), 5, false},
		{"two keyspaces, one whole", keyenc.AppendKeyRow(nil, named, []byte("a")), keyenc.AppendKeyRow(nil, other, []byte("b")), named, keyenc.AppendKeyRow(nil, other, []byte("c")), 5, false},
		{"two keyspaces whole", keyenc.AppendKeyRow(nil, named, []byte("a")), keyenc.AppendKeyRow(nil, other, []byte("b")), named, base.Successor(other), 5, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := &manifest.Table{Num: 1, Level: lastLevel}
			old.Smallest, old.Largest, old.Puts, old.MetaRows, old.Size = c.first, c.last, 1000, c.meta, 1<<20
			cover := &manifest.Table{Num: 2, Run: 9}
			cover.Smallest, cover.Largest, cover.LargestExclusive, cover.RangeDeletes, cover.MaxSeq, cover.Size = c.start, c.end, true, 1, 50, 1000
			v := &manifest.Version{Runs: []manifest.Run{{Age: 9, Tables: []*manifest.Table{cover}}, {Level: lastLevel, Tables: []*manifest.Table{old}}}}
			list := rangedel.New([]rangedel.Tombstone{{Start: c.start, End: c.end, Seq: 50}})
			in := Input{OldestReadSeq: base.SeqMax, RangeDeletes: func(t *manifest.Table) *rangedel.List {
				if t == cover {
					return list
				}
				return nil
			}}
			if got := Pick(v, in); (got != nil && got.Kind == KindDrop) != c.dropped {
				t.Errorf("%v", got)
			}
		})
	}
}
