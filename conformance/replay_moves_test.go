package conformance

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// move is a call, or a few, that a transaction makes. It makes the same again when
// the transaction is replayed, and must answer the same.
type move struct {
	text string
	do   func(p *play) string
}

// play is a transaction while its moves are made.
type play struct {
	tx    *siltstone.Tx
	snap  *siltstone.Snapshot // of when it began; for reads that it does not know of
	walks []*walk
	ended bool // a move has committed
	err   error
}

// walk is a loop or an iterator that stands still between moves.
type walk struct {
	next func() string
	stop func()
}

func (p *play) close() {
	for _, w := range p.walks {
		w.stop()
	}
	p.walks = nil
	if p.snap != nil {
		p.snap.Close()
	}
}

func (p *play) commit() {
	p.ended, p.err = true, p.tx.Commit()
}

// Features are what moves may do beside plain calls. Each is the name of what goes
// wrong if the store has it wrong.
const (
	openWalks    = "a loop or iterator that is open at Commit"
	keyDeadlines = "deadlines of elements in walks over keys"
	hiddenReads  = "reads that the transaction does not know of" // never right
)

// mover makes random moves. Keys of the raw interface are below k/, many that are
// seldom written below w/, collections below c/: of one whose elements are all due
// the raw interface may still show the key.
type mover struct {
	*rand.Rand
	clock    *handClock
	features map[string]bool
}

const (
	rawKeys  = 12
	wideKeys = 5000
)

func (m *mover) raw() []byte     { return fmt.Appendf(nil, "k/%02d", m.IntN(rawKeys)) }
func (m *mover) wide() []byte    { return fmt.Appendf(nil, "w/%04d", m.IntN(wideKeys)) }
func (m *mover) element() string { return fmt.Sprint("e", m.IntN(4)) }
func (m *mover) value() []byte   { return fmt.Appendf(nil, "v%d", m.IntN(1000)) }

// name returns a collection of a kind: h, s, z or l. The second of each is large.
func (m *mover) name(kind string) string { return fmt.Sprintf("c/%s%d", kind, m.IntN(2)) }

func (m *mover) any() string { return m.name([]string{"h", "s", "z", "l"}[m.IntN(4)]) }

// deadline is behind the end of any transaction that is open now.
func (m *mover) deadline() time.Time {
	return m.clock.Now().Add(mostOpen + time.Duration(m.IntN(int(mostOpen))))
}

func yes(b bool, err error) string { return answer(fmt.Sprint(b), err) }

func text[T any](v T, err error) string { return answer(fmt.Sprint(v), err) }

func bytesOf(v []byte, err error) string { return answer(string(v), err) }

func answer(s string, err error) string {
	if err != nil {
		return refusal(err)
	}
	return s
}

// read makes a move that only looks.
func (m *mover) read() move {
	k, name, e := m.raw(), m.any(), m.element()
	h, s, z, l := m.name("h"), m.name("s"), m.name("z"), m.name("l")
	moves := []move{
		{"get " + string(k), func(p *play) string { return bytesOf(p.tx.Get(k)) }},
		{"has " + string(k), func(p *play) string { return yes(p.tx.Has(k)) }},
		{"exists " + name, func(p *play) string { return yes(p.tx.Key(name).Exists()) }},
		{"type " + name, func(p *play) string { return text(p.tx.Key(name).Type()) }},
		{"deadline " + name, func(p *play) string { return text(p.tx.Key(name).Deadline()) }},
		{"count exists", func(p *play) string { return text(p.tx.Keys().Exists(h, s, z, l)) }},
		{"len " + h, func(p *play) string { return text(p.tx.Hash(h).Len()) }},
		{"field " + h + " " + e, func(p *play) string { return bytesOf(p.tx.Hash(h).Get(e)) }},
		{"field deadline " + h + " " + e, func(p *play) string { return text(p.tx.Hash(h).FieldDeadline(e)) }},
		{"len " + s, func(p *play) string { return text(p.tx.Set(s).Len()) }},
		{"member " + s + " " + e, func(p *play) string { return yes(p.tx.Set(s).Has(e)) }},
		{"inter " + s, func(p *play) string { return text(p.tx.Set(s).InterLen(0, m0("s"))) }},
		{"len " + z, func(p *play) string { return text(p.tx.ZSet(z).Len()) }},
		{"score " + z + " " + e, func(p *play) string { return text(p.tx.ZSet(z).Score(e)) }},
		{"rank " + z + " " + e, func(p *play) string { return text(p.tx.ZSet(z).Rank(e)) }},
		{"count " + z, func(p *play) string { return text(p.tx.ZSet(z).Count(typed.ByScore(0, 2))) }},
		{"len " + l, func(p *play) string { return text(p.tx.List(l).Len()) }},
		{"at " + l, func(p *play) string { return bytesOf(p.tx.List(l).At(0)) }},
		m.whole(), m.many(),
	}
	if m.features[hiddenReads] {
		return move{"hidden get " + string(k), func(p *play) string { return bytesOf(p.snap.Get(k)) }}
	}
	if m.features[keyDeadlines] && m.IntN(3) == 0 {
		return []move{
			{"count keys", func(p *play) string { return text(p.tx.Keys().Count()) }},
			{"some key", func(p *play) string {
				_, err := p.tx.Keys().Random()
				return answer("one", err)
			}},
		}[m.IntN(2)]
	}
	return moves[m.IntN(len(moves))]
}

// m0 is the small collection of a kind.
func m0(kind string) string { return "c/" + kind + "0" }

// many reads more points than a transaction usually does.
func (m *mover) many() move {
	n, seed := 200+m.IntN(3000), m.Uint64()
	return move{fmt.Sprintf("get %d keys", n), func(p *play) string {
		rng := rand.New(rand.NewPCG(seed, 0))
		sum := 0
		for range n {
			v, err := p.tx.Get(fmt.Appendf(nil, "w/%04d", rng.IntN(wideKeys)))
			if err == nil {
				sum = sum*31 + len(v) + int(v[len(v)-1])
			}
		}
		return fmt.Sprint(sum)
	}}
}

// course is what a transaction can walk over.
type course struct {
	text string
	seq  func(p *play) iter.Seq2[string, error]
}

// shown makes a loop of texts of another one.
func shown[T any](seq iter.Seq2[T, error], show func(T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for v, err := range seq {
			if !yield(show(v), err) {
				return
			}
		}
	}
}

func (m *mover) course() course {
	kv := func(kv siltstone.KV) string { return fmt.Sprintf("%s=%s", kv.Key, kv.Value) }
	member := func(v typed.Member) string { return fmt.Sprint(v) }
	field := func(f typed.Field) string { return fmt.Sprintf("%s=%s", f.Name, f.Value) }
	key := func(k typed.Key) string { return k.Name() }
	h, s, z, l := m.name("h"), m.name("s"), m.name("z"), m.name("l")
	r := siltstone.Range{Lower: m.raw(), Upper: []byte("k0")}
	loops := []course{
		{"scan", func(p *play) iter.Seq2[string, error] { return shown(p.tx.Scan(r), kv) }},
		{"scan back", func(p *play) iter.Seq2[string, error] { return shown(p.tx.ScanBack(r), kv) }},
		{"all " + h, func(p *play) iter.Seq2[string, error] { return shown(p.tx.Hash(h).All(), field) }},
		{"all " + s, func(p *play) iter.Seq2[string, error] { return p.tx.Set(s).All() }},
		{"range " + z, func(p *play) iter.Seq2[string, error] {
			return shown(p.tx.ZSet(z).Range(typed.ByScore(0, 3)), member)
		}},
		{"range " + l, func(p *play) iter.Seq2[string, error] {
			return shown(p.tx.List(l).Range(0, -1), func(b []byte) string { return string(b) })
		}},
		{"keys k/*", func(p *play) iter.Seq2[string, error] {
			return shown(p.tx.Keys().All(typed.KeyOptions{Match: "k/*"}), key)
		}},
	}
	if m.features[keyDeadlines] && m.IntN(3) == 0 {
		return course{"keys c/*", func(p *play) iter.Seq2[string, error] {
			return shown(p.tx.Keys().All(typed.KeyOptions{Match: "c/*"}), key)
		}}
	}
	return loops[m.IntN(len(loops))]
}

// some returns how many items of a loop are looked at: often all.
func (m *mover) some() int {
	if m.IntN(2) == 0 {
		return 1 << 20
	}
	return 1 + m.IntN(4)
}

// whole walks over a loop, or its beginning.
func (m *mover) whole() move {
	l, n := m.course(), m.some()
	return move{fmt.Sprintf("%s, up to %d", l.text, n), func(p *play) string {
		var out []string
		for v, err := range l.seq(p) {
			if out = append(out, answer(v, err)); len(out) == n {
				break
			}
		}
		return strings.Join(out, " ")
	}}
}

// open begins a walk that stays where it is, and takes some steps.
func (m *mover) open() move {
	if m.IntN(3) == 0 {
		return m.openIter()
	}
	l, n := m.course(), 1+m.IntN(6)
	return move{"open " + l.text, func(p *play) string {
		next, stop := iter.Pull2(l.seq(p))
		w := &walk{stop: stop, next: func() string {
			v, err, more := next()
			if !more {
				return "end"
			}
			return answer(v, err)
		}}
		p.walks = append(p.walks, w)
		return w.steps(n)
	}}
}

func (m *mover) openIter() move {
	from, back, n := m.raw(), m.IntN(2) == 0, m.IntN(6)
	return move{fmt.Sprintf("open an iterator at %s, back %v", from, back), func(p *play) string {
		it, err := p.tx.NewIter(&siltstone.IterOptions{Range: siltstone.Prefix([]byte("k/"))})
		if err != nil {
			return refusal(err)
		}
		at := func(ok bool) string {
			if !ok {
				return answer("end", it.Err())
			}
			return fmt.Sprintf("%s=%s", it.Key(), it.Value())
		}
		w := &walk{stop: func() { _ = it.Close() }, next: func() string { return at(it.Next()) }}
		first := ""
		if back {
			first, w.next = at(it.SeekLT(from)), func() string { return at(it.Prev()) }
		} else {
			first = at(it.SeekGE(from))
		}
		p.walks = append(p.walks, w)
		return first + " " + w.steps(n)
	}}
}

func (w *walk) steps(n int) string {
	var out []string
	for range n {
		out = append(out, w.next())
		if out[len(out)-1] == "end" {
			break
		}
	}
	return strings.Join(out, " ")
}

// on takes further steps in a walk that is open.
func (m *mover) on() move {
	which, n := m.IntN(8), 1+m.IntN(4)
	return move{"go on", func(p *play) string {
		if len(p.walks) == 0 {
			return "nothing is open"
		}
		return p.walks[which%len(p.walks)].steps(n)
	}}
}

// end commits: plainly, beside walks that are open, or inside a loop.
func (m *mover) end() move {
	if !m.features[openWalks] {
		return move{"close all walks, commit", func(p *play) string {
			p.close()
			p.commit()
			return ""
		}}
	}
	if m.IntN(2) == 0 {
		return move{"commit", func(p *play) string { p.commit(); return "" }}
	}
	l, n, last := m.course(), m.some(), m.write()
	return move{fmt.Sprintf("commit inside %s, item %d, behind %s", l.text, n, last.text), func(p *play) string {
		var out []string
		for v, err := range l.seq(p) {
			if out = append(out, answer(v, err)); len(out) == min(n, 3) {
				out = append(out, last.do(p))
				p.commit()
				break
			}
		}
		if !p.ended {
			p.commit()
		}
		return strings.Join(out, " ")
	}}
}

// write makes a move that changes something.
func (m *mover) write() move {
	k, w, v, name, e := m.raw(), m.wide(), m.value(), m.any(), m.element()
	h, s, z, l := m.name("h"), m.name("s"), m.name("z"), m.name("l")
	to, at, score := m.name("h"), m.deadline(), float64(m.IntN(4))
	lo, hi := m.raw(), m.raw()
	moves := []move{
		{"put " + string(k), func(p *play) string { return answer("", p.tx.Put(k, v)) }},
		{"put " + string(k), func(p *play) string { return answer("", p.tx.Put(k, v)) }},
		{"put " + string(w), func(p *play) string { return answer("", p.tx.Put(w, v)) }},
		{"expire " + string(k), func(p *play) string { return answer("", p.tx.Key(string(k)).ExpireAt(at)) }},
		{"delete " + string(k), func(p *play) string { return answer("", p.tx.Delete(k)) }},
		{"delete range", func(p *play) string { return answer("", p.tx.DeleteRange(siltstone.Range{Lower: lo, Upper: hi})) }},
		{"set field " + h + " " + e, func(p *play) string { return yes(p.tx.Hash(h).Set(e, v)) }},
		{"expire field " + h + " " + e, func(p *play) string { return text(p.tx.Hash(h).ExpireFieldsAt(at, 0, e)) }},
		{"remove field " + h + " " + e, func(p *play) string { return text(p.tx.Hash(h).Remove(e)) }},
		{"add " + s + " " + e, func(p *play) string { return text(p.tx.Set(s).Add(e)) }},
		{"expire member " + s + " " + e, func(p *play) string { return text(p.tx.Set(s).ExpireMembersAt(at, 0, e)) }},
		{"remove " + s + " " + e, func(p *play) string { return text(p.tx.Set(s).Remove(e)) }},
		{"score " + z + " " + e, func(p *play) string { return yes(p.tx.ZSet(z).Add(e, score)) }},
		{"expire member " + z + " " + e, func(p *play) string { return text(p.tx.ZSet(z).ExpireMembersAt(at, 0, e)) }},
		{"pop " + z, func(p *play) string { return text(p.tx.ZSet(z).PopMin(1)) }},
		{"push " + l, func(p *play) string { return text(p.tx.List(l).PushBack(v)) }},
		{"pop " + l, func(p *play) string { return bytesOf(p.tx.List(l).PopFront()) }},
		{"drop " + name, func(p *play) string { return yes(p.tx.Key(name).Drop()) }},
		{"expire " + name, func(p *play) string { return answer("", p.tx.Key(name).ExpireAt(at)) }},
		{"rename " + h, func(p *play) string { return answer("", p.tx.Key(h).Rename(to)) }},
		{"copy " + h, func(p *play) string { return yes(p.tx.Key(h).CopyTo(to, true)) }},
	}
	return moves[m.IntN(len(moves))]
}
