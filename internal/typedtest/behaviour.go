package typedtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/typed"
)

// Behaviour runs the tests of this package that say one thing each against
// a store; open returns an empty one.
func Behaviour(t *testing.T, open func(t *testing.T) Store) {
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) { b.run(test{t}, open(t)) })
	}
}

type behaviour struct {
	name string
	run  func(t test, s Store)
}

var behaviours = []behaviour{
	{"EveryCallReadsItsTransactionsWrites", everyCallReadsOwnWrites},
	{"RollbackAfterAnyCallChangesNothing", rollbackChangesNothing},
	{"PanicInAnUpdateChangesNothing", panicChangesNothing},
	{"RefusedCallChangesNothing", refusalChangesNothing},
	{"KeyIsThereUntilItsDeadlineAndNotAt", deadlineIsExclusive},
	{"SetClearsTheTimeToLiveOfAnExpiredKey", setOverExpired},
	{"PersistAfterRenewedExpireStays", persistAfterRenewal},
	{"CollectionMadeOverAnExpiredOneIsEmpty", collectionOverExpired},
	{"RepeatedMembersCountOnce", repeatedMembers},
	{"SecondPopInATransactionReturnsTheNext", secondPop},
	{"AnyBytesAreLegalAnywhere", anyBytes},
	{"NamesOf64KiBAreLegalAndNotAByteMore", longNames},
	{"ScoresAreAllNumbersButNaN", oddScores},
	{"MemberThatLooksLikeAScoreRow", scoreLookalike},
	{"AlgebraTakesMissingSetsAsEmpty", algebraOfMissingSets},
	{"MoveToFollowsRedis", moveTo},
	{"DestinationMayBeASource", storeOverSource},
	{"HashThatShrankAndGrewShowsNoOldField", shrankAndGrew},
	{"RenameThenSetOverOldNameKeepsElements", renameThenSet},
	{"CopySharesNothing", copySharesNothing},
	{"LoopSeesTheStateAtItsStart", loopSeesItsStart},
	{"EveryLoopSeesTheStateAtItsStartWhateverItsBodyChanges", everyLoopSeesItsStart},
	{"WalkOfKeysBesideDueElementsSeesTheStateAtItsStart", keysBesideDueElements},
	{"LoopOutlivesTheCollectionItsTransactionMadeAndDropped", loopOutlivesItsCollection},
	{"TenHighestAreRanksInReverse", reverseRanks},
	{"FractionsAddAsDecimals", fractionsAdd},
	{"TrimOfALongListKeepsItsMiddle", trimLongList},
	{"ListWithGapsGoesByPosition", listGaps},
	{"ListTurnsRoundAndMovesItsLastValue", listRotates},
	{"LastFieldExpiredMeansNoKey", lastFieldExpired},
	{"NextValueOverExpiredElementsStartsAnew", nextValueOverExpired},
	{"CountsAreExactWhileElementsExpire", countsAreExact},
	{"SetClearsAFieldsTimeToLiveAndIncrKeepsIt", callsAndTimesToLive},
	{"DeadlinesGoAlongWithElements", deadlinesGoAlong},
	{"ThousandsThatAreDueAtOnceAreGoneAtOnce", manyDue},
	{"KeyAndElementMayExpireTogether", equalDeadlines},
	{"ConditionsOfDeadlinesAreThoseOfRedis", conditionsOfDeadlines},
	{"LoopGoesOnBehindAName", resumedLoops},
}

// test is a *testing.T that compares answers.
type test struct{ *testing.T }

// ok fails the test if a call that is to succeed did not, or answered otherwise.
func ok[T any](t test, got T, err error, want T) {
	t.Helper()
	if err := differ("call", got, err, want, nil); err != nil {
		t.Fatal(err)
	}
}

func (t test) refused(err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func (t test) done(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Image prints all that a holds, keys in order.
func Image(t *testing.T, a API) string {
	t.Helper()
	return image(test{t}, a)
}

// image prints all that a store holds.
func image(t test, a API) string {
	t.Helper()
	var b strings.Builder
	for k, err := range a.Keys().All(typed.KeyOptions{}) {
		t.done(err)
		typ, err := k.Type()
		t.done(err)
		deadline, err := k.Deadline()
		t.done(err)
		fmt.Fprintf(&b, "%q %v %v", k.Name(), typ, deadline.UnixMilli())
		var held any
		switch name := k.Name(); typ {
		case typed.TypeString:
			held, err = a.String(name).Get()
		case typed.TypeHash:
			held, err = collect(a.Hash(name).All(), ownField)
		case typed.TypeSet:
			held, err = collect(a.Set(name).All(), asIs)
		case typed.TypeZSet:
			held, err = collect(a.ZSet(name).Range(typed.ByRank(0, -1)), asIs)
		case typed.TypeList:
			held, err = collect(a.List(name).Range(0, -1), ownBytes)
		}
		t.done(err)
		fmt.Fprintf(&b, " %v %v\n", held, deadlines(t, a, k.Name(), typ))
	}
	return b.String()
}

// deadlines returns those of a key's elements, in order of the elements.
func deadlines(t test, a API, k string, typ typed.Type) (all []int64) {
	t.Helper()
	elements, deadline := a.Hash(k).Fields(), a.Hash(k).FieldDeadline
	switch typ {
	case typed.TypeHash:
	case typed.TypeSet:
		elements, deadline = a.Set(k).All(), a.Set(k).MemberDeadline
	default:
		return nil
	}
	for e, err := range elements {
		t.done(err)
		at, err := deadline(e)
		t.done(err)
		all = append(all, at.UnixMilli())
	}
	return all
}

// populate gives the store what Populate does.
func populate(t test, a API) {
	t.Helper()
	t.done(Populate(a))
}

func rollbackChangesNothing(t test, s Store) {
	populate(t, s)
	before := image(t, s)
	for _, m := range Changes() {
		err := s.Update(func(tx API) error {
			if err := m.Run(tx); err != nil {
				return err
			}
			if image(t, tx) == before {
				t.Errorf("%s does not show in its own transaction", m.Name)
			}
			return errRollback
		})
		t.refused(err, errRollback)
		if after := image(t, s); after != before {
			t.Fatalf("%s was rolled back and left\n%s instead of\n%s", m.Name, after, before)
		}
	}
}

func panicChangesNothing(t test, s Store) {
	populate(t, s)
	before := image(t, s)
	for _, m := range Changes() {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not come through")
				}
			}()
			_ = s.Update(func(tx API) error {
				if err := m.Run(tx); err != nil {
					return err
				}
				panic("in the closure")
			})
		}()
		if after := image(t, s); after != before {
			t.Fatalf("%s before a panic left\n%s instead of\n%s", m.Name, after, before)
		}
	}
}

func everyCallReadsOwnWrites(t test, s Store) {
	populate(t, s)
	start := image(t, s)
	for _, m := range Changes() {
		inside := ""
		t.done(s.Update(func(tx API) error {
			if err := m.Run(tx); err != nil {
				return err
			}
			inside = image(t, tx)
			return nil
		}))
		if after := image(t, s); after != inside {
			t.Fatalf("%s: the transaction saw\n%s and committed\n%s", m.Name, inside, after)
		}
		_, err := s.Keys().Drop("string", "hash", "set", "zset", "list", "new", "other")
		t.done(err)
		populate(t, s)
		if again := image(t, s); again != start {
			t.Fatalf("%s: a new start differs:\n%s", m.Name, again)
		}
	}
}

func repeatedMembers(t test, s Store) {
	n, err := s.Set("s").Add("a", "b", "a", "a")
	ok(t, n, err, 2)
	n, err = s.Set("s").Remove("a", "a")
	ok(t, n, err, 1)
	length, err := s.Set("s").Len()
	ok(t, length, err, 1)
	n, err = s.Hash("h").SetMany(typed.Field{Name: "f", Value: []byte("1")}, typed.Field{Name: "f", Value: []byte("2")})
	ok(t, n, err, 1)
	v, err := s.Hash("h").Get("f")
	ok(t, v, err, []byte("2"))
	n, err = s.ZSet("z").AddMany(0, typed.Member{Name: "m", Score: 1}, typed.Member{Name: "m", Score: 2})
	ok(t, n, err, 1)
	members, err := collect(s.ZSet("z").Range(typed.ByRank(0, -1)), asIs)
	ok(t, members, err, []typed.Member{{Name: "m", Score: 2}})
	n, err = s.Keys().Exists("s", "s", "none", "h")
	ok(t, n, err, 3)
	n, err = s.Keys().Drop("s", "s", "none", "h")
	ok(t, n, err, 2)
}

func secondPop(t test, s Store) {
	populate(t, s)
	t.done(s.Update(func(tx API) error {
		for i := range 3 {
			low, err := tx.ZSet("zset").PopMin(1)
			ok(t, low, err, []typed.Member{{Name: "abc"[i : i+1], Score: float64(i + 1)}})
			v, err := tx.List("list").PopBack()
			ok(t, v, err, []byte{"zyx"[i]})
		}
		var popped []string
		for range 3 {
			m, err := tx.Set("set").Pop(1)
			t.done(err)
			popped = append(popped, m...)
		}
		slices.Sort(popped)
		ok(t, popped, nil, []string{"a", "b", "c"})
		return nil
	}))
	n, err := s.Keys().Exists("zset", "list", "set")
	ok(t, n, err, 0)
}
