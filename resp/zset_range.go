package resp

import (
	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on ranges of sorted sets.
var zsetRangeCommands = []command{
	{"zrange", -4, reads, 1, 1, 1, func(c *call) error { return zrange(c, span3{at: 2}) }},
	{"zrevrange", -4, reads, 1, 1, 1, func(c *call) error { return zrange(c, span3{at: 2, reverse: true, fixed: true}) }},
	{"zrangebyscore", -4, reads, 1, 1, 1, func(c *call) error { return zrange(c, span3{at: 2, by: byScore, fixed: true}) }},
	{"zrevrangebyscore", -4, reads, 1, 1, 1, func(c *call) error { return zrange(c, span3{at: 2, by: byScore, reverse: true, fixed: true}) }},
	{"zrangebylex", -4, reads, 1, 1, 1, func(c *call) error { return zrange(c, span3{at: 2, by: byLex, fixed: true}) }},
	{"zrevrangebylex", -4, reads, 1, 1, 1, func(c *call) error { return zrange(c, span3{at: 2, by: byLex, reverse: true, fixed: true}) }},
	{"zrangestore", -5, writes, 1, 2, 1, zrangeStore},
	{"zcount", 4, reads, 1, 1, 1, func(c *call) error { return zcount(c, byScore) }},
	{"zlexcount", 4, reads, 1, 1, 1, func(c *call) error { return zcount(c, byLex) }},
	{"zremrangebyrank", 4, writes, 1, 1, 1, func(c *call) error { return zremRange(c, byRank) }},
	{"zremrangebyscore", 4, writes, 1, 1, 1, func(c *call) error { return zremRange(c, byScore) }},
	{"zremrangebylex", 4, writes, 1, 1, 1, func(c *call) error { return zremRange(c, byLex) }},
}

// order is by what a range chooses.
type order uint8

const (
	byRank order = iota
	byScore
	byLex
)

// span3 is a range as a command has it: two ends and words behind them.
type span3 struct {
	at      int // the argument that is the first end
	by      order
	reverse bool
	fixed   bool // order and direction are those of the command's name
	scores  bool
	store   bool // WITHSCORES makes no sense
	limited bool
	skip, n int64
}

// options parses the words behind the ends.
func (s *span3) options(c *call) error {
	for i := s.at + 2; i < len(c.args); i++ {
		switch a := c.args[i]; {
		case is(a, "WITHSCORES") && !s.store:
			s.scores = true
		case is(a, "LIMIT") && i+2 < len(c.args):
			var err error
			if s.skip, err = c.int(i + 1); err != nil {
				return err
			}
			if s.n, err = c.int(i + 2); err != nil {
				return err
			}
			s.limited = true
			i += 2
		case is(a, "BYSCORE") && !s.fixed && s.by == byRank:
			s.by = byScore
		case is(a, "BYLEX") && !s.fixed && s.by == byRank:
			s.by = byLex
		case is(a, "REV") && !s.fixed && !s.reverse:
			s.reverse = true
		default:
			return errSyntax
		}
	}
	switch {
	case s.limited && s.by == byRank:
		return replyError("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
	case s.scores && s.by == byLex:
		return replyError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
	}
	return nil
}

// chosen returns the range, and false if nothing can be in it.
func (s *span3) chosen(c *call) (r typed.ZRange, any bool, err error) {
	low, high := s.at, s.at+1
	if s.reverse && s.by != byRank {
		low, high = high, low
	}
	switch s.by {
	case byRank:
		r, err = rankRange(c, low, high)
		any = true
	case byScore:
		r, err = scoreRange(c, low, high)
		any = true
	case byLex:
		r, any, err = lexRange(c, low, high)
	}
	if err != nil {
		return r, false, err
	}
	if s.reverse {
		r = r.Reverse()
	}
	if s.limited {
		n := s.n
		if n < 0 {
			n = -1
		}
		r = r.Limit(s.skip, n)
	}
	return r, any && (!s.limited || s.n != 0), nil
}

func rankRange(c *call, low, high int) (typed.ZRange, error) {
	start, err := c.int(low)
	if err != nil {
		return typed.ZRange{}, err
	}
	stop, err := c.int(high)
	return typed.ByRank(start, stop), err
}

func scoreRange(c *call, low, high int) (r typed.ZRange, err error) {
	var ends [2]float64
	var open [2]bool
	for i, at := range []int{low, high} {
		text := c.args[at]
		if len(text) > 0 && text[0] == '(' {
			open[i], text = true, text[1:]
		}
		f, ok := parseFloat(text)
		if !ok {
			return r, errMinMaxFloat
		}
		ends[i] = f
	}
	r = typed.ByScore(ends[0], ends[1])
	if open[0] {
		r = r.OpenMin()
	}
	if open[1] {
		r = r.OpenMax()
	}
	return r, nil
}

// lexEnd parses an end of a range of names: '-' and '+' are the two infinities.
func lexEnd(b []byte) (name string, kind byte, err error) {
	switch {
	case len(b) == 1 && (b[0] == '-' || b[0] == '+'):
		return "", b[0], nil
	case len(b) > 0 && (b[0] == '[' || b[0] == '('):
		return string(b[1:]), b[0], nil
	}
	return "", 0, errMinMaxLex
}

func lexRange(c *call, low, high int) (r typed.ZRange, any bool, err error) {
	from, lowKind, err := lexEnd(c.args[low])
	if err != nil {
		return r, false, err
	}
	to, highKind, err := lexEnd(c.args[high])
	if err != nil {
		return r, false, err
	}
	switch {
	case lowKind == '+' || highKind == '-':
		return typed.ByLexFrom(""), false, nil
	case lowKind == '-' && highKind == '+':
		r = typed.ByLexFrom("")
	case lowKind == '-':
		r = typed.ByLexTo(to)
	case highKind == '+':
		r = typed.ByLexFrom(from)
	default:
		r = typed.ByLex(from, to)
	}
	if lowKind == '(' {
		r = r.OpenMin()
	}
	if highKind == '(' {
		r = r.OpenMax()
	}
	return r, true, nil
}

func zrange(c *call, s span3) error {
	if err := s.options(c); err != nil {
		return err
	}
	r, any, err := s.chosen(c)
	if err != nil {
		return err
	}
	z := c.space.ZSet(c.key(1))
	if !any {
		if _, err := z.Len(); err != nil {
			return err
		}
		c.out.array(0)
		return nil
	}
	at, n := c.out.open(), 0
	for m, err := range z.Range(r) {
		if err != nil {
			return err
		}
		if s.scores {
			c.memberWithScore(m)
		} else {
			c.out.text(m.Name)
		}
		n++
		if err := c.fits(at); err != nil {
			return err
		}
	}
	if s.scores && c.out.proto != 3 {
		n *= 2
	}
	c.out.fix(at, '*', n)
	return nil
}

func zrangeStore(c *call) error {
	s := span3{at: 3, store: true}
	if err := s.options(c); err != nil {
		return err
	}
	r, any, err := s.chosen(c)
	if err != nil {
		return err
	}
	if !any {
		r = typed.ByRank(1, 0)
	}
	return c.stored('z', func(s siltstone.ReadWriter) (int64, error) {
		return s.ZSet(c.key(1)).StoreRange(c.key(2), r)
	})
}

func zcount(c *call, by order) error {
	s := span3{at: 2, by: by}
	r, any, err := s.chosen(c)
	if err != nil {
		return err
	}
	z := c.space.ZSet(c.key(1))
	if !any {
		_, err := z.Len()
		return c.number(0, err)
	}
	return c.number(z.Count(r))
}

func zremRange(c *call, by order) error {
	s := span3{at: 2, by: by}
	r, any, err := s.chosen(c)
	if err != nil {
		return err
	}
	z := c.space.ZSet(c.key(1))
	if !any {
		r = typed.ByRank(1, 0)
	}
	n, err := z.RemoveRange(r)
	if err == nil && n > 0 {
		c.changed(c.args[1], 'z', c.cmd.name)
	}
	return c.number(int64(n), instead(err, siltstone.ErrNotFound, ""))
}
