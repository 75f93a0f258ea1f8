package typedtest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

// Calls about the bits of strings. The model has them as text of 0 and 1.

var bitCalls = []func(*run, API) error{callSetBit, callBitCount, callBitPos, callBitOp, callBitOp}

func bitText(v []byte) string {
	var b strings.Builder
	for _, c := range v {
		fmt.Fprintf(&b, "%08b", c)
	}
	return b.String()
}

func bitBytes(text string) []byte {
	v := make([]byte, len(text)/8)
	for i := range v {
		b, _ := strconv.ParseUint(text[8*i:8*i+8], 2, 8)
		v[i] = byte(b)
	}
	return v
}

// bitRange returns a range and what it is of a text of bits, and whether its end is
// open.
func (r *run) bitRange() (o typed.BitRange, cut func(text string) string, open bool) {
	start, stop := r.position(), r.position()
	if r.rng.IntN(2) == 0 {
		start, stop = 5*start, 5*stop
	}
	byBytes := func(start, stop int64) func(string) string {
		return func(text string) string {
			return string(slices.Concat(part(slices.Collect(slices.Chunk([]byte(text), 8)), start, stop)...))
		}
	}
	switch r.rng.IntN(4) {
	case 0:
		return typed.BitRange{}, func(text string) string { return text }, true
	case 1:
		return typed.ByBytesFrom(start), byBytes(start, -1), true
	case 2:
		return typed.ByBytes(start, stop), byBytes(start, stop), false
	}
	return typed.ByBits(start, stop), func(text string) string { return string(part([]byte(text), start, stop)) }, false
}

func callSetBit(r *run, a API) error {
	k, at, bit := r.key(), int64(r.rng.IntN(40)), r.rng.IntN(2) == 0
	if r.rng.IntN(20) == 0 {
		at = -1
	}
	e, wantErr := r.model.open(k, typed.TypeString)
	if at < 0 {
		wantErr = base.ErrOutOfRange
	}
	before, err := a.String(k).Bit(at)
	old := false
	if wantErr == nil {
		text := bitText(e.str)
		text += strings.Repeat("0", max(0, (int(at)/8+1)*8-len(text)))
		old = text[at] == '1'
		e.str = bitBytes(text[:at] + map[bool]string{false: "0", true: "1"}[bit] + text[at+1:])
		r.model.save(k, e)
	}
	if err := check(r, fmt.Sprintf("String(%q).Bit(%d)", k, at), before, err, old, wantErr); err != nil {
		return err
	}
	got, err := a.String(k).SetBit(at, bit)
	return check(r, fmt.Sprintf("String(%q).SetBit(%d, %v)", k, at, bit), got, err, old, wantErr)
}

func callBitCount(r *run, a API) error {
	k := r.key()
	o, cut, _ := r.bitRange()
	e, wantErr := r.model.open(k, typed.TypeString)
	want := 0
	if wantErr == nil {
		want = strings.Count(cut(bitText(e.str)), "1")
	}
	got, err := a.String(k).BitCount(o)
	return check(r, fmt.Sprintf("String(%q).BitCount(%v)", k, o), got, err, int64(want), wantErr)
}

func callBitPos(r *run, a API) error {
	k, bit := r.key(), r.rng.IntN(2) == 0
	o, cut, open := r.bitRange()
	e, wantErr := r.model.open(k, typed.TypeString)
	want := 0
	if wantErr == nil && (bit || r.model.get(k) != nil) {
		text := bitText(e.str)
		inside := cut(text)
		first := firstOf(text, cut)
		want = strings.IndexByte(inside, map[bool]byte{false: '0', true: '1'}[bit])
		switch {
		case want >= 0:
			want += first
		case inside != "" && !bit && open:
			want = len(text)
		default:
			wantErr = base.ErrNotFound
		}
	}
	got, err := a.String(k).BitPos(bit, o)
	return check(r, fmt.Sprintf("String(%q).BitPos(%v, %v)", k, bit, o), got, err, int64(want), wantErr)
}

// firstOf returns how many bits of text stand in front of what cut leaves: the
// text has a single mark at each place in turn.
func firstOf(text string, cut func(string) string) int {
	for i := range text {
		marked := strings.Repeat(".", i) + "x" + strings.Repeat(".", len(text)-i-1)
		if strings.Contains(cut(marked), "x") {
			return i
		}
	}
	return 0
}

func callBitOp(r *run, a API) error {
	k, op, sources := r.key(), choose(r, []typed.BitOp{typed.BitAnd, typed.BitOr, typed.BitXor, typed.BitNot}), several(r, r.key)
	if op == typed.BitNot && r.rng.IntN(4) > 0 {
		sources = sources[:1]
	}
	var want []byte
	var wantErr error
	if op == typed.BitNot && len(sources) > 1 {
		wantErr = base.ErrBadOption
	} else {
		want, wantErr = r.model.bitOp(op, sources)
	}
	if wantErr == nil {
		if r.model.drop(k); len(want) > 0 {
			r.model.save(k, &entry{typ: typed.TypeString, str: want})
		}
	}
	got, err := a.String(k).BitOp(op, sources...)
	return check(r, fmt.Sprintf("String(%q).BitOp(%v, %q)", k, op, sources), got, err, int64(len(want)), wantErr)
}

// bitOp counts the ones in each column.
func (m *Model) bitOp(op typed.BitOp, keys []string) ([]byte, error) {
	var texts []string
	longest := 0
	for _, k := range keys {
		e, err := m.open(k, typed.TypeString)
		if err != nil {
			return nil, err
		}
		texts = append(texts, bitText(e.str))
		longest = max(longest, 8*len(e.str))
	}
	result := bytes.Repeat([]byte("0"), longest)
	for i := range result {
		ones := 0
		for _, text := range texts {
			if i < len(text) && text[i] == '1' {
				ones++
			}
		}
		if op == typed.BitAnd && ones == len(texts) || op == typed.BitOr && ones > 0 ||
			op == typed.BitXor && ones%2 == 1 || op == typed.BitNot && ones == 0 {
			result[i] = '1'
		}
	}
	return bitBytes(string(result)), nil
}
