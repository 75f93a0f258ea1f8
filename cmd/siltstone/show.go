package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/spf13/cobra"
)

// showOptions are the flags of show.
type showOptions struct {
	limit   int64
	after   string
	reverse bool
}

func (t *tool) showCommand() *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:     "show DIR KEY",
		GroupID: groupLook,
		Short:   "Show what a key holds, whatever its type",
		Long: `Show type, time to live and content of a key: the value of a string, the
fields of a hash, the members of a set, the members of a sorted set with their
scores, the items of a list with their positions. Elements with a time to live
of their own have it behind them.

At most 100 elements are shown unless --limit says otherwise.`,
		Example: `  siltstone show /var/lib/app/store user:1
  siltstone show /var/lib/app/store board --reverse --limit 10`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := t.key(args[1])
			if err != nil {
				return err
			}
			return t.readStore(args[0], func(_ *siltstone.DB, s reading) error { return t.show(s, string(key), o) })
		},
	}
	limitFlag(cmd, &o.limit, 100, "at most so many elements; 0: all")
	cmd.Flags().StringVar(&o.after, "after", "", "go on behind this field, member or position")
	cmd.Flags().BoolVar(&o.reverse, "reverse", false, "from the last element to the first")
	return t.keyFlags(cmd)
}

func (t *tool) show(s reading, name string, o showOptions) error {
	k := s.Key(name)
	kind, err := k.Type()
	if err != nil {
		return t.onKey(err, []byte(name))
	}
	deadline, err := k.Deadline()
	if err != nil {
		return t.onKey(err, []byte(name))
	}
	if kind == typed.TypeString {
		return t.showString(s, name, deadline)
	}
	total, err := length(s, kind, name)
	if err != nil {
		return err
	}
	after, err := t.bytes(o.after)
	if err != nil {
		return err
	}
	if !t.json {
		t.heading(name, kind, deadline, counted(total, elementNoun(kind)))
	}
	p := &elementPrinter{t: t, s: s, name: name, limit: o.limit, begun: o.after != ""}
	switch kind {
	case typed.TypeHash:
		err = p.hash(string(after), o.reverse)
	case typed.TypeSet:
		err = p.set(string(after), o.reverse)
	case typed.TypeZSet:
		err = p.zset(string(after), o.reverse)
	case typed.TypeList:
		err = p.list(o.after, o.reverse, total)
	}
	if err == nil && p.more && !t.json {
		t.out.printf("…  more: --after goes on behind the last one, --limit 0 shows all\n")
	}
	return err
}

// heading writes what is known of the key as a whole.
func (t *tool) heading(name string, kind typed.Type, deadline time.Time, content string) {
	line := fmt.Sprintf("%s: %s of %s", t.format.showSafe([]byte(name)), kind, content)
	if !deadline.IsZero() {
		line += ", expires in " + ttlText(deadline)
	}
	t.out.printf("%s\n", line)
}

func (t *tool) showString(s reading, name string, deadline time.Time) error {
	value, err := s.String(name).Get()
	if err != nil {
		return t.onKey(err, []byte(name))
	}
	if t.json {
		j := t.out.object()
		j.Bytes("key", []byte(name))
		j.Text("type", "string")
		j.Bytes("value", value)
		j.Time("expires", deadline)
		return t.out.write()
	}
	t.heading(name, typed.TypeString, deadline, counted(len(value), "byte"))
	t.out.printf("%s\n", t.format.show(value))
	return nil
}

// elementPrinter writes the elements of one collection.
type elementPrinter struct {
	t     *tool
	s     reading
	name  string
	limit int64
	begun bool // an element was named behind which to go on; its name may have no bytes
	n     int64
	more  bool
}

// full reports whether the limit has been reached; it is asked before each element.
func (p *elementPrinter) full() bool {
	p.more = p.limit > 0 && p.n == p.limit
	p.n++
	return p.more
}

// elementTTL returns the remark about an element's deadline.
func elementTTL(deadline time.Time, err error) (time.Time, string, error) {
	if errors.Is(err, siltstone.ErrNotFound) || deadline.IsZero() && err == nil {
		return time.Time{}, "", nil
	}
	return deadline, "expires in " + ttlText(deadline), err
}

func (p *elementPrinter) hash(after string, reverse bool) error {
	h := p.s.Hash(p.name)
	loop := h.Scan(typed.Range{}.After(after))
	switch {
	case reverse && p.begun:
		loop = h.ScanBack(typed.Range{}.Before(after))
	case reverse:
		loop = h.ScanBack(typed.Range{})
	case !p.begun:
		loop = h.All()
	}
	for f, err := range loop {
		if err != nil {
			return err
		}
		if p.full() {
			return nil
		}
		deadline, remark, err := elementTTL(h.FieldDeadline(f.Name))
		if err != nil {
			return err
		}
		if p.t.json {
			j := p.t.out.object()
			j.Bytes("field", []byte(f.Name))
			j.Bytes("value", f.Value)
			j.Time("expires", deadline)
			err = p.t.out.write()
		} else {
			err = p.line([]int{20, 0}, remark, p.t.format.show([]byte(f.Name)), p.t.format.show(f.Value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *elementPrinter) set(after string, reverse bool) error {
	s := p.s.Set(p.name)
	loop := s.Scan(typed.Range{}.After(after))
	switch {
	case reverse && p.begun:
		loop = s.ScanBack(typed.Range{}.Before(after))
	case reverse:
		loop = s.ScanBack(typed.Range{})
	case !p.begun:
		loop = s.All()
	}
	for m, err := range loop {
		if err != nil {
			return err
		}
		if p.full() {
			return nil
		}
		deadline, remark, err := elementTTL(s.MemberDeadline(m))
		if err != nil {
			return err
		}
		if p.t.json {
			j := p.t.out.object()
			j.Bytes("member", []byte(m))
			j.Time("expires", deadline)
			err = p.t.out.write()
		} else {
			err = p.line([]int{20}, remark, p.t.format.show([]byte(m)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *elementPrinter) zset(after string, reverse bool) error {
	z := p.s.ZSet(p.name)
	r := allScores
	if p.begun {
		score, err := z.Score(after)
		if err != nil {
			return advise(err, "--after names a member of the sorted set")
		}
		r = r.After(typed.Member{Name: after, Score: score})
	}
	if reverse {
		r = r.Reverse()
	}
	for m, err := range z.Range(r) {
		if err != nil {
			return err
		}
		if p.full() {
			return nil
		}
		deadline, remark, err := elementTTL(z.MemberDeadline(m.Name))
		if err != nil {
			return err
		}
		if p.t.json {
			j := p.t.out.object()
			j.Bytes("member", []byte(m.Name))
			j.Float("score", m.Score)
			j.Time("expires", deadline)
			err = p.t.out.write()
		} else {
			err = p.line([]int{12, 20}, remark, strconv.FormatFloat(m.Score, 'g', -1, 64), p.t.format.show([]byte(m.Name)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *elementPrinter) list(after string, reverse bool, total int64) error {
	from, step := int64(0), int64(1)
	if reverse {
		from, step = total-1, -1
	}
	if after != "" {
		at, err := strconv.ParseInt(after, 10, 64)
		if err != nil || at < 0 {
			return usagef("--after %s: of a list it is a position, counted from 0", after)
		}
		from = at + step
	}
	for i := from; i >= 0 && i < total; i += step * pageOfItems {
		page, err := p.items(i, min(total-1, i+pageOfItems-1), reverse)
		if err != nil {
			return err
		}
		for j, v := range page {
			if p.full() {
				return nil
			}
			if err := p.item(i+step*int64(j), v); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageOfItems is how many items of a list are in memory at a time.
const pageOfItems = 1000

// items returns a page of the list: up from position i, or down from it.
func (p *elementPrinter) items(i, last int64, reverse bool) (page [][]byte, err error) {
	first := i
	if reverse {
		first, last = max(0, i-pageOfItems+1), i
	}
	for v, err := range p.s.List(p.name).Range(first, last) {
		if err != nil {
			return nil, err
		}
		page = append(page, append([]byte(nil), v...))
	}
	if reverse {
		slices.Reverse(page)
	}
	return page, nil
}

func (p *elementPrinter) item(at int64, v []byte) error {
	if p.t.json {
		j := p.t.out.object()
		j.Int("position", at)
		j.Bytes("item", v)
		return p.t.out.write()
	}
	return p.line([]int{6, 0}, "", strconv.FormatInt(at, 10), p.t.format.show(v))
}

// line writes an element and, behind it, a remark.
func (p *elementPrinter) line(widths []int, remark string, columns ...string) error {
	if remark != "" {
		columns = append(columns, remark)
	}
	return p.t.out.row(widths, columns...)
}

// allScores is every member of a sorted set.
var allScores = typed.ByScore(math.Inf(-1), math.Inf(1))
