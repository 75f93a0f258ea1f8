package typed

import (
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Key is a key of whatever type. Every other handle embeds it, so that
// s.Expire(time.Hour) works for any of them; its methods never look at the type.
// Safe for concurrent use if what it comes from is.
type Key struct {
	src  collection.Source
	name string
}

// Handles are made by the store; a program that could make one would need the
// engine's types.
func init() {
	collection.NewKey = func(src collection.Source, name string) Key { return Key{src, name} }
	collection.NewKeys = func(src collection.Source) Keys { return Keys{src} }
}

// Name returns the name of the key.
func (k Key) Name() string { return k.name }

// Type returns what the key holds, or ErrNotFound. [TYPE]
func (k Key) Type() (Type, error) {
	return collection.View(k.src, func(t collection.Txn) (Type, error) {
		trailer, err := k.peek(t)
		return Type(trailer.Attr.Type()), err
	})
}

// Exists reports whether the key holds anything. [EXISTS]
func (k Key) Exists() (bool, error) {
	return collection.View(k.src, func(t collection.Txn) (bool, error) {
		if err := collection.CheckName(k.name); err != nil {
			return false, err
		}
		return collection.KeyExists(t, k.row(t))
	})
}

// Drop removes the key with all that it holds, and reports whether there was
// anything. Remove of a collection removes some of its elements; Delete of a store,
// keyspace, transaction or batch is Drop without the report, and reads nothing. The
// cost does not depend on the size of a collection: its disk space
// comes back in the background. [DEL, UNLINK]
func (k Key) Drop() (existed bool, err error) {
	return collection.Update(k.src, k.name, func(t collection.Txn) (bool, error) {
		if err := collection.CheckName(k.name); err != nil {
			return false, err
		}
		return collection.DropRow(t, k.row(t))
	})
}

// TTL returns how long the key still lives, NoTTL if it never expires, or
// ErrNotFound. It is never 0 or negative. [PTTL]
func (k Key) TTL() (time.Duration, error) {
	return collection.View(k.src, func(t collection.Txn) (time.Duration, error) {
		trailer, err := k.peek(t)
		return ttlOf(t.Now(), trailer.Expiry), err
	})
}

// Deadline returns when the key expires, the zero time if it never does, or
// ErrNotFound. The key is gone from the first moment of that millisecond.
// [PEXPIRETIME]
func (k Key) Deadline() (time.Time, error) {
	return collection.View(k.src, func(t collection.Txn) (time.Time, error) {
		trailer, err := k.peek(t)
		if err != nil || trailer.Expiry == 0 {
			return time.Time{}, err
		}
		return time.UnixMilli(trailer.Expiry), nil
	})
}

// Expire lets the key live for ttl from now, rounded up to a millisecond. A ttl
// of 0 or less drops the key at once; it does not clear the time to live, as
// Persist and Expire(NoTTL) do. ErrNotFound if there is no such key. A string is
// written anew whole; a collection costs the same at any size. [PEXPIRE]
func (k Key) Expire(ttl time.Duration) error {
	_, err := collection.Update(k.src, k.name, func(t collection.Txn) (int64, error) {
		return collection.SetExpiry(t, k.name, deadlineIn(t.Now(), ttl))
	})
	return err
}

// ExpireAt is Expire with a deadline: a past one drops the key at once, the zero
// time means none, as what Deadline returned; ErrBadTTL beyond what a record can
// hold, which is some 146 million years. [PEXPIREAT]
func (k Key) ExpireAt(deadline time.Time) error {
	at, err := deadlineAt(deadline)
	if err != nil {
		return err
	}
	_, err = collection.Update(k.src, k.name, func(t collection.Txn) (int64, error) {
		return collection.SetExpiry(t, k.name, at)
	})
	return err
}

// ExpireIf is ExpireAt if c admits it, and reports whether it did; false, too, if
// there is no such key. CondNX: the key has no deadline; CondXX: it has one; CondGT,
// CondLT: the new deadline is later, earlier than the one there is. No deadline is
// later than any, so CondGT never gives a first one, and CondLT always does. CondXX
// may stand with CondGT or CondLT; other pairs, and CondCH, are ErrBadOption.
// [PEXPIREAT NX XX GT LT]
func (k Key) ExpireIf(c Cond, deadline time.Time) (set bool, err error) {
	at, err := deadlineAt(deadline)
	if err == nil {
		err = c.check(CondNX | CondXX | CondGT | CondLT)
	}
	if err != nil {
		return false, err
	}
	return collection.Update(k.src, k.name, func(t collection.Txn) (bool, error) {
		old, err := k.peek(t)
		if err != nil {
			return false, collection.AbsentOK(err)
		}
		if !c.admitsDeadline(old.Expiry, at) {
			return false, nil
		}
		_, err = collection.SetExpiry(t, k.name, at)
		return err == nil, err
	})
}

// admitsDeadline reports whether c lets the deadline at replace the deadline had.
// 0 is none, which is later than any.
func (c Cond) admitsDeadline(had, at int64) bool {
	was, is := uint64(had-1), uint64(at-1) // none wraps around to the last
	switch {
	case c&CondNX != 0 && had != 0, c&CondXX != 0 && had == 0:
		return false
	case c&CondGT != 0 && is <= was, c&CondLT != 0 && is >= was:
		return false
	}
	return true
}

// Persist takes the time to live away and reports whether there was one; false,
// too, if there is no such key. [PERSIST]
func (k Key) Persist() (had bool, err error) {
	return collection.Update(k.src, k.name, func(t collection.Txn) (bool, error) {
		had, err := collection.SetExpiry(t, k.name, 0)
		return had != 0, collection.AbsentOK(err)
	})
}

// Rename gives the key another name, with its time to live, and drops what had
// that name before. ErrNotFound if there is no such key; the name it has is no
// change. The cost does not depend on the size of a collection. [RENAME]
func (k Key) Rename(to string) error {
	_, err := collection.Update(k.src, "", func(t collection.Txn) (bool, error) { return true, k.rename(t, to) })
	return err
}

// RenameNX is Rename unless there is a key with that name, and reports whether it
// did; the name it has is taken. ErrNotFound if there is no such key. [RENAMENX]
func (k Key) RenameNX(to string) (renamed bool, err error) {
	return collection.Update(k.src, "", func(t collection.Txn) (bool, error) {
		if err := collection.CheckName(to); err != nil {
			return false, err
		}
		if _, err := k.peek(t); err != nil {
			return false, err
		}
		taken, err := collection.KeyExists(t, Key{name: to}.row(t))
		if err != nil || taken {
			return false, err
		}
		return true, k.rename(t, to)
	})
}

func (k Key) rename(t collection.Txn, to string) error {
	if err := collection.CheckName(to); err != nil {
		return err
	}
	old, err := k.peek(t)
	if err != nil || to == k.name {
		return err
	}
	sc := t.Scratch()
	sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), to)
	if _, _, err := collection.Displace(t, sc.Key); err != nil {
		return err
	}
	value, _, err := t.Get(sc.Val[:0], k.row(t))
	if err != nil {
		return err
	}
	sc.Val = value[:0]
	if err := t.Delete(sc.Key); err != nil {
		return err
	}
	typ := record.Type(old.Attr.Type())
	sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), to)
	if err := t.Put(sc.Key, typ, old.Expiry, value); err != nil {
		return err
	}
	if id, ok := record.CollectionID(typ, value); ok {
		return collection.PutOwner(t, id, to) // the rows now belong to the other name
	}
	return nil
}

// CopyTo copies the value and its time to live to the key called to, which must
// not exist unless replace is set, and reports whether it did; false, too, if
// there is nothing to copy. Its own name is ErrBadOption. Takes time and space in
// proportion to the value, in one transaction. [COPY]
func (k Key) CopyTo(to string, replace bool) (copied bool, err error) {
	return collection.Update(k.src, "", func(t collection.Txn) (bool, error) { return k.copyTo(t, to, replace) })
}

func (k Key) copyTo(t collection.Txn, to string, replace bool) (bool, error) {
	if err := collection.CheckName(to); err != nil {
		return false, err
	}
	if to == k.name {
		return false, base.Errorf(base.ErrBadOption, "key %s cannot be copied to its own name", base.Quote(k.name))
	}
	old, err := k.peek(t)
	if err != nil {
		return false, collection.AbsentOK(err)
	}
	sc := t.Scratch()
	sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), to)
	if replace {
		_, _, err = collection.Displace(t, sc.Key)
	} else {
		var taken bool
		if taken, err = collection.KeyExists(t, sc.Key); taken {
			return false, err
		}
	}
	if err != nil {
		return false, err
	}
	value, _, err := t.Get(sc.Val[:0], k.row(t))
	if err != nil {
		return false, err
	}
	sc.Val = value[:0]
	typ := record.Type(old.Attr.Type())
	if typ.IsCollection() {
		return true, collection.Copy(t, k.name, to, typ, old.Expiry, value)
	}
	sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), to)
	return true, t.Put(sc.Key, typ, old.Expiry, value)
}

// row returns the row key; good until the next key row.
func (k Key) row(t collection.Txn) []byte { return collection.KeyRow(t, k.name) }

func (k Key) peek(t collection.Txn) (base.Trailer, error) {
	if err := collection.CheckName(k.name); err != nil {
		return base.Trailer{}, err
	}
	return collection.PeekKey(t, k.row(t))
}
