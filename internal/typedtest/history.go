package typedtest

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

// HistoryOptions say what History does. The zero value is a short history.
type HistoryOptions struct {
	Seed  uint64
	Steps int // calls, or transactions of up to 8 calls; zero: 1000
	// Each is called after every step outside of transactions, for checks of the
	// caller's; nil: nothing.
	Each func(step int) error
}

// errRollback ends a transaction that is to change nothing.
var errRollback = errors.New("typedtest: rolled back on purpose")

// History runs random calls over a few keys against the store and a model: alone
// and in transactions, some of which roll back, while the clock jumps and keys
// expire. A call that would make its transaction too large must change nothing. History
// returns an error that tells the first answer that differs, with the seed and the last
// calls. A history of the same seed is the same.
func History(s Store, o HistoryOptions) error {
	if o.Steps == 0 {
		o.Steps = 1000
	}
	r := &run{
		rng:   rand.New(rand.NewPCG(o.Seed, 0x5171)),
		model: NewModel(s.Now),
		now:   s.Now,
	}
	for step := range o.Steps {
		err := r.step(s)
		if err == nil && step%50 == 49 {
			err = r.compareAll(s)
		}
		if err == nil && o.Each != nil {
			err = o.Each(step)
		}
		if err != nil {
			return fmt.Errorf("typedtest: seed %d, step %d: %w\nlast calls:\n  %s",
				o.Seed, step, err, strings.Join(r.log, "\n  "))
		}
	}
	return nil
}

// run is a history on its way.
type run struct {
	rng    *rand.Rand
	model  *Model
	before *Model // of the last write in a transaction
	now    func() int64
	log    []string // the last calls
}

const logLen = 25

func (r *run) note(format string, args ...any) {
	if r.log = append(r.log, fmt.Sprintf(format, args...)); len(r.log) > logLen {
		r.log = r.log[1:]
	}
}

// step makes one call, one transaction or one jump of the clock.
func (r *run) step(s Store) error {
	switch n := r.rng.IntN(100); {
	case n < 5:
		ms := int64(r.rng.IntN(150))
		r.note("advance %d ms", ms)
		s.Advance(ms)
		return nil
	case n < 25:
		return r.transaction(s)
	}
	return r.call(s)
}

func (r *run) transaction(s Store) error {
	before := r.model.Clone()
	rollback := r.rng.IntN(3) == 0
	calls := 1 + r.rng.IntN(8)
	r.note("begin")
	err := s.Update(func(tx API) error {
		r.model = before.Clone() // a store may run it again
		for range calls {
			r.settled()
			err := r.call(tx)
			if errors.Is(err, base.ErrTxTooLarge) {
				r.note("refused: it changed nothing")
				r.model, err = r.before, nil
			}
			if err != nil {
				return err
			}
		}
		if rollback {
			return errRollback
		}
		return nil
	})
	if rollback && errors.Is(err, errRollback) {
		r.note("rollback")
		r.model = before
		return nil
	}
	r.note("commit")
	return err
}

// settled says that what was written so far in a transaction was not refused. Steps that
// make several writes say so in between.
func (r *run) settled() { r.before = r.model.Clone() }

func (r *run) call(a API) error {
	call := calls[r.rng.IntN(len(calls))]
	return call(r, a)
}

// compareAll compares everything that the store and the model hold.
func (r *run) compareAll(a API) error {
	names := r.model.names()
	var got []string
	for k, err := range a.Keys().All(typed.KeyOptions{}) {
		if err != nil {
			return err
		}
		got = append(got, k.Name())
	}
	if err := differ("keys", got, nil, names, nil); err != nil {
		return err
	}
	for _, name := range names {
		if err := r.compareKey(a, name); err != nil {
			return err
		}
	}
	return nil
}

// differ returns an error if two answers are not the same. An error must be what
// was wanted to errors.Is, and the values beside it are not looked at.
func differ[T any](call string, got T, gotErr error, want T, wantErr error) error {
	if gotErr != nil || wantErr != nil {
		if wantErr != nil && errors.Is(gotErr, wantErr) {
			return nil
		}
		if errors.Is(gotErr, base.ErrTxTooLarge) {
			return gotErr // the model knows no bound
		}
		return fmt.Errorf("%s: error %v, want %v", call, gotErr, wantErr)
	}
	if same(reflect.ValueOf(&got).Elem(), reflect.ValueOf(&want).Elem()) {
		return nil
	}
	return fmt.Errorf("%s: got %s, want %s", call, show(got), show(want))
}

// show prints bytes and strings as text.
func show(v any) string {
	switch v.(type) {
	case []byte, [][]byte, string, []string:
		return fmt.Sprintf("%.400q", v)
	}
	text := fmt.Sprint(v)
	return strconv.QuoteToASCII(text[:min(len(text), 400)])
}

// same is reflect.DeepEqual but for slices without elements, which are the same
// whether nil or not if they are the whole answer.
func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// check notes a call and compares its answer.
func check[T any](r *run, call string, got T, gotErr error, want T, wantErr error) error {
	if gotErr != nil {
		r.note("%s → %v", call, gotErr)
	} else {
		r.note("%s → %.120s", call, show(got))
	}
	return differ(call, got, gotErr, want, wantErr)
}

// collect gathers what a loop yields; borrowed bytes are copied by own.
func collect[T any](seq iter.Seq2[T, error], own func(T) T) (all []T, err error) {
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, own(v))
	}
	return all, nil
}

func asIs[T any](v T) T { return v }

// Random arguments: few of each, so that calls meet, and the odd ones.

var keyNames = []string{"a", "b", "c", "a\x00", "user:1", "user:2", "\xff\xff"}

var memberNames = []string{
	"", "\x00", "a", "b", "c", "a\x00", "a\x00b", "\xff", "\xff\xff", "m1", "m2", "m3", "m4", "m5",
	"\xbf\xf0\x00\x00\x00\x00\x00\x00a", // the row of ("a", 1) in the score order
}

var scores = []float64{0, 1, -1, 1.5, 2, 3, -2.5, 1e300, -1e300, posInf, negInf, negZero}

var values = []string{"", "0", "1", "10", "-7", "3.5", "-0.25", "1e3", "abc", "01", "+1", " 1", "\x00\xff",
	"9223372036854775807", "-9223372036854775808", strings.Repeat("long ", 100)}

func choose[T any](r *run, from []T) T { return from[r.rng.IntN(len(from))] }

func (r *run) key() string     { return choose(r, keyNames) }
func (r *run) member() string  { return choose(r, memberNames) }
func (r *run) score() float64  { return choose(r, scores) }
func (r *run) value() []byte   { return []byte(choose(r, values)) }
func (r *run) position() int64 { return int64(r.rng.IntN(13) - 6) }

func several[T any](r *run, one func() T) []T {
	all := make([]T, 1+r.rng.IntN(4))
	for i := range all {
		all[i] = one()
	}
	return all
}

func ownBytes(b []byte) []byte { return bytes.Clone(b) }
