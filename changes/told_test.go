package changes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// tell writes a change down, its times in milliseconds from begin on.
func tell(c changes.Change, begin time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v", c.Kind)
	if c.Keyspace != "" {
		fmt.Fprintf(&b, " in %s", c.Keyspace)
	}
	if c.Type != typed.TypeNone {
		fmt.Fprintf(&b, " %v", c.Type)
	}
	fmt.Fprintf(&b, " %s", c.Key)
	switch c.Kind {
	case changes.KindRename:
		fmt.Fprintf(&b, " to %s", c.To)
	case changes.KindDeleteRange:
		fmt.Fprintf(&b, "%s..%s", c.Lower, c.Upper)
	case changes.KindRemoveItems:
		fmt.Fprintf(&b, " %d..%d", int64(c.Index-1<<63)>>16, int64(c.End-1<<63)>>16)
	case changes.KindPut:
		fmt.Fprintf(&b, " = %s", c.Value)
	case changes.KindSetElement, changes.KindRemoveElement, changes.KindPurgeElement:
		switch c.Type {
		case typed.TypeList:
			fmt.Fprintf(&b, "[%d]", int64(c.Index-1<<63)>>16)
		default:
			fmt.Fprintf(&b, ".%s", c.Element)
		}
		switch {
		case c.Kind != changes.KindSetElement:
		case c.Type == typed.TypeZSet:
			fmt.Fprintf(&b, " = %v", c.Score)
		case c.Type != typed.TypeSet:
			fmt.Fprintf(&b, " = %s", c.Value)
		}
	}
	if !c.ExpiresAt.IsZero() {
		fmt.Fprintf(&b, " until %v", c.ExpiresAt.Sub(begin))
	}
	return strings.TrimSpace(b.String())
}

func TestEachCallIsToldAsWhatItDid(t *testing.T) {
	typedtest.InlineUpTo(t, 3, 64)
	clock := newHandClock()
	begin := clock.Now()
	db := openKeeping(t, vfs.NewMem(), "db", plenty, func(o *siltstone.Options) { o.Clock = clock.Now })
	ctx := context.Background()
	second := func(_ any, err error) error { return err }
	long := bytes.Repeat([]byte("x"), 40)
	h, z, l := db.Hash("h"), db.ZSet("z"), db.List("l")
	for _, step := range []struct {
		call func() error
		want string // changes, one a line
	}{
		{func() error { return db.Put([]byte("k"), []byte("v")) }, "put string k = v"},
		{func() error { return db.PutTTL([]byte("k"), []byte("w"), time.Second) }, "put string k = w until 1s"},
		{func() error { return db.Delete([]byte("k")) }, "delete k"},
		{func() error { return second(db.Key("nothing").Drop()) }, ""},
		{func() error { return db.DeleteRange(siltstone.Prefix([]byte("k"))) }, "delete range k..l"},
		{func() error { return second(h.Set("f", []byte("1"))) }, "replace hash h\nset element hash h.f = 1"},
		{func() error { return second(h.Set("g", []byte("2"))) }, "set element hash h.g = 2"},
		{func() error { return second(h.Set("g", []byte("3"))) }, "set element hash h.g = 3"},
		{func() error { return second(h.Incr("g", 4)) }, "set element hash h.g = 7"},
		{func() error { return second(h.Remove("f")) }, "remove element hash h.f"},
		{func() error { return h.Expire(time.Second) }, "expire hash h until 1s"},
		{func() error { return second(h.Persist()) }, "expire hash h"},
		{func() error { return h.Rename("i") }, "delete h\nreplace hash i\nset element hash i.g = 7"},
		{func() error { return db.Key("i").Rename("h") }, "delete i\nreplace hash h\nset element hash h.g = 7"},
		{func() error { return second(h.SetTTL("due", nil, time.Second)) },
			"replace hash h\nset element hash h.g = 7\nset element hash h.due =  until 1s"},
		{func() error { return second(h.Set("g", long)) }, "set element hash h.g = " + string(long)},
		{func() error { return h.Rename("i") }, "rename hash h to i"},
		{func() error { return db.Key("i").Expire(time.Hour) }, "expire hash i until 1h0m0s"},
		{func() error { return second(db.Key("i").Persist()) }, "expire hash i"},
		{func() error { clock.to(begin.Add(time.Second)); return second(db.Hash("i").Set("f", nil)) },
			"purge element hash i.due\nset element hash i.f ="},
		{func() error { return second(db.Hash("i").Remove("f", "g")) },
			"remove element hash i.f\nremove element hash i.g\ndelete i"},
		{func() error { return second(db.Set("s").Add("a", "b")) }, "replace set s\nset element set s.a\nset element set s.b"},
		{func() error { return second(db.Set("s").MoveTo("t", "a")) },
			"replace set t\nset element set t.a\nremove element set s.a"},
		{func() error { return second(z.Add("m", 1)) }, "replace zset z\nset element zset z.m = 1"},
		{func() error { return second(z.Incr("m", 2)) }, "set element zset z.m = 3"},
		{func() error { return second(z.PopMin(1)) }, "delete z"},
		{func() error { return second(l.PushBack([]byte("a"), []byte("b"))) },
			"replace list l\nset element list l[0] = a\nset element list l[1] = b"},
		{func() error { return second(l.PushBack(long, long)) },
			"replace list l\nset element list l[0] = a\nset element list l[1] = b\n" +
				"set element list l[2] = " + string(long) + "\nset element list l[3] = " + string(long)},
		{func() error { return l.SetAt(1, []byte("c")) }, "set element list l[1] = c"},
		{func() error { return second(l.PushFront([]byte("d"))) }, "set element list l[-1] = d"},
		{func() error { return second(l.PopBack()) }, "remove element list l[3]"},
		{func() error { // the range begins with the key
			return db.Update(ctx, func(tx *siltstone.Tx) error {
				_, err := tx.Hash("h").Set("f", []byte("1"))
				err = errors.Join(err, tx.DeleteRange(siltstone.Prefix([]byte("h"))))
				return errors.Join(err, second(tx.Hash("h").Set("g", []byte("2"))))
			})
		}, "replace hash h\nset element hash h.f = 1\ndelete range h..i\nreplace hash h\nset element hash h.g = 2"},
		{func() error { return second(db.CreateKeyspace("space")) }, "make keyspace in space"},
		{func() error { return db.DropKeyspace("space") }, "drop keyspace in space"},
		{func() error { return db.DropAll() }, "drop all"},
	} {
		after := db.Position()
		done(t, step.call())
		var told []string
		for c, err := range db.Changes(ctx, siltstone.ChangeOptions{After: after, NoWait: true}) {
			done(t, err)
			told = append(told, tell(c, begin))
		}
		if got := strings.Join(told, "\n"); got != step.want {
			t.Errorf("told is:\n%s\nwant:\n%s", got, step.want)
		}
	}
}

func TestTheEndOfAKeyWhoseTimeHadComeIsTold(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier: the reaper looks once a second")
	}
	typedtest.InRows(t)
	clock := newHandClock()
	db := openKeeping(t, vfs.NewMem(), "db", plenty, func(o *siltstone.Options) { o.Clock = clock.Now })
	ks, err := db.CreateKeyspace("space")
	done(t, err)
	_, err = ks.Hash("h").Set("f", nil)
	done(t, err)
	_, err = ks.Hash("lives").SetTTL("f", nil, time.Second)
	done(t, err)
	_, err = ks.Hash("lives").Set("g", nil)
	done(t, err)
	done(t, ks.Hash("h").Expire(time.Second))
	after := db.Position()
	clock.to(clock.Now().Add(time.Minute))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	told := map[string]bool{}
	for c, err := range db.Changes(ctx, siltstone.ChangeOptions{After: after}) {
		done(t, err)
		if told[tell(c, clock.Now())] = true; len(told) == 2 {
			break
		}
	}
	if !told["expired in space h"] || !told["purge element in space hash lives.f"] {
		t.Errorf("told is %v", told)
	}
}

// The time of a frame may be later than that of a commit in it: of several that it has, and
// of one that a replica replays. By then the time of a removed element may have come.
func TestAnElementThatACallRemovesIsNotToldAsPurged(t *testing.T) {
	typedtest.InRows(t)
	clock := newHandClock()
	db := openKeeping(t, vfs.NewMem(), "db", plenty, func(o *siltstone.Options) {
		o.Clock, o.LogicalClock, o.Durability = clock.Now, true, siltstone.BufferedDurability
	})
	h, z := db.Hash("h"), db.ZSet("z")
	_, err := h.SetMany(typed.Field{Name: "live"}, typed.Field{Name: "f"}, typed.Field{Name: "kept"}, typed.Field{Name: "due"})
	done(t, err)
	for _, m := range []string{"live", "m", "due"} {
		_, err := z.Add(m, 1)
		done(t, err)
	}
	_, errh := h.ExpireFields(time.Hour, 0, "f", "kept", "due")
	_, errz := z.ExpireMembers(time.Hour, 0, "m", "due")
	done(t, errors.Join(errh, errz))
	after := db.Position()
	_, errh = h.Remove("f")
	_, errz = z.Remove("m")
	done(t, errors.Join(errh, errz, db.Update(context.Background(), func(tx *siltstone.Tx) error {
		_, err := tx.Hash("h").PersistFields("kept")
		_, errr := tx.Hash("h").Remove("kept")
		return errors.Join(err, errr)
	})))
	clock.to(clock.Now().Add(2 * time.Hour))
	_, errh = h.Set("new", nil)
	_, errz = z.Add("new", 1)
	done(t, errors.Join(errh, errz, db.Sync()))
	told := map[string]bool{}
	for c, err := range db.Changes(context.Background(), siltstone.ChangeOptions{After: after, NoWait: true}) {
		done(t, err)
		told[tell(c, clock.Now())] = true
	}
	for _, want := range []string{
		"remove element hash h.f", "remove element hash h.kept", "remove element zset z.m",
		"purge element hash h.due", "purge element zset z.due",
	} {
		if !told[want] {
			t.Errorf("%s is not told, but %v", want, told)
		}
	}
}
