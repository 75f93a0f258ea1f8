package typedtest

import (
	"fmt"
	"math"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

// Calls that return a string and change it or its time to live, those that write
// into its middle, and those that compare two.

var exchangeCalls = []func(*run, API) error{callGetSet, callGetDel, callGetExpire, callSetRange, callLCS}

func callGetSet(r *run, a API) error {
	k, v := r.key(), r.value()
	want, wantErr := r.model.setString(k, v, typed.SetOptions{Get: true})
	got, err := a.String(k).GetSet(v)
	return check(r, fmt.Sprintf("String(%q).GetSet(%.20q)", k, v), got, err, want.Old, wantErr)
}

func callGetDel(r *run, a API) error {
	k := r.key()
	e, wantErr := r.str(k)
	var want []byte
	if wantErr == nil {
		want = e.str
		r.model.drop(k)
	}
	got, err := a.String(k).GetDel()
	return check(r, fmt.Sprintf("String(%q).GetDel", k), got, err, want, wantErr)
}

func callGetExpire(r *run, a API) error {
	k, ms := r.key(), int64(r.rng.IntN(300)-20)
	e, wantErr := r.str(k)
	var want, got []byte
	var err error
	if wantErr == nil {
		want = e.str
	}
	expire := func(at int64) {
		if wantErr == nil {
			wantErr = r.model.expire(k, at)
		}
	}
	call := ""
	switch n := r.rng.IntN(4); {
	case n == 0:
		call = "GetExpire(NoTTL)"
		expire(0)
		got, err = a.String(k).GetExpire(typed.NoTTL)
	case n == 1:
		call = fmt.Sprintf("GetExpireAt(%d)", r.now()+ms)
		expire(r.now() + ms)
		got, err = a.String(k).GetExpireAt(time.UnixMilli(r.now() + ms))
	default:
		call = fmt.Sprintf("GetExpire(%d ms)", ms)
		if ms <= 0 {
			wantErr = base.ErrBadTTL
		}
		expire(r.now() + ms)
		got, err = a.String(k).GetExpire(time.Duration(ms) * time.Millisecond)
	}
	return check(r, fmt.Sprintf("String(%q).%s", k, call), got, err, want, wantErr)
}

func callSetRange(r *run, a API) error {
	k, at, v := r.key(), choose(r, []int64{0, 0, 1, 2, 5, 40, -1, base.MaxValueLen, math.MaxInt64}), r.value()
	e, wantErr := r.model.open(k, typed.TypeString)
	want := 0
	switch {
	case at < 0:
		wantErr = base.ErrOutOfRange
	case wantErr != nil:
	case len(v) == 0:
		want = len(e.str)
	case at >= base.MaxValueLen:
		wantErr = base.ErrValueTooLarge
	default:
		text := make([]byte, max(len(e.str), int(at)+len(v)))
		copy(text, e.str)
		copy(text[at:], v)
		e.str, want = text, len(text)
		r.model.save(k, e)
	}
	got, err := a.String(k).SetRange(at, v)
	return check(r, fmt.Sprintf("String(%q).SetRange(%d, %.20q)", k, at, v), got, err, int64(want), wantErr)
}

func callLCS(r *run, a API) error {
	k, other := r.key(), r.key()
	x, wantErr := r.model.open(k, typed.TypeString)
	y, err := r.model.open(other, typed.TypeString)
	if wantErr == nil {
		wantErr = err
	}
	want := [][2]int{}
	if wantErr == nil {
		if len(x.str)*len(y.str) > 1<<16 {
			return nil
		}
		want = lcs(x.str, y.str)
	}
	n, err := a.String(k).LCSLen(other)
	if err := check(r, fmt.Sprintf("String(%q).LCSLen(%q)", k, other), n, err, int64(len(want)), wantErr); err != nil {
		return err
	}
	var text []byte
	var pairs [][2]int64
	for _, p := range want {
		text = append(text, x.str[p[0]])
		pairs = append(pairs, [2]int64{int64(p[0]), int64(p[1])})
	}
	got, err := a.String(k).LCS(other)
	if err := check(r, fmt.Sprintf("String(%q).LCS(%q)", k, other), got, err, text, wantErr); err != nil {
		return err
	}
	matches, n, err := a.String(k).LCSMatches(other, 0)
	var gotPairs [][2]int64
	for i := len(matches) - 1; i >= 0; i-- {
		m := matches[i]
		for d := range m.Len {
			gotPairs = append(gotPairs, [2]int64{m.Start + d, m.OtherStart + d})
		}
	}
	if err == nil && n != int64(len(want)) {
		return fmt.Errorf("LCSMatches(%q, %q): length %d, want %d", k, other, n, len(want))
	}
	return check(r, fmt.Sprintf("String(%q).LCSMatches(%q)", k, other), gotPairs, err, pairs, wantErr)
}

// lcs returns the pairs of positions of the longest common subsequence, by the
// definition: of equal ones, that in which the second value's end is left out.
func lcs(a, b []byte) (pairs [][2]int) {
	length := make([][]int, len(a)+1)
	length[0] = make([]int, len(b)+1)
	for i := range a {
		length[i+1] = make([]int, len(b)+1)
		for j := range b {
			length[i+1][j+1] = max(length[i][j+1], length[i+1][j])
			if a[i] == b[j] {
				length[i+1][j+1] = length[i][j] + 1
			}
		}
	}
	i, j := len(a), len(b)
	pairs = make([][2]int, length[i][j])
	for i > 0 && j > 0 {
		switch {
		case a[i-1] == b[j-1]:
			i, j = i-1, j-1
			pairs[length[i+1][j+1]-1] = [2]int{i, j}
		case length[i-1][j] > length[i][j-1]:
			i--
		default:
			j--
		}
	}
	return pairs
}
