package changes

import (
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// Kind is what a Change did.
type Kind uint8

const (
	// KindPut: Key has the string Value, whatever it held before.
	KindPut Kind = 1
	// KindDelete: Key is gone, whatever it held.
	KindDelete Kind = 2
	// KindDeleteRange: the keys from Lower to Upper, without Upper, are gone. A nil bound
	// is open.
	KindDeleteRange Kind = 3
	// KindExpired: Key is gone because its time had come. Key ended for all who read at its
	// ExpiresAt. This is told once, after that, when the store takes what it held out: for a
	// collection that had grown beyond its small form mostly within seconds, else by a merge,
	// maybe much later. It is told of no key that lives again, nor of one that was
	// deleted or written since; on a full disk some are not told.
	KindExpired Kind = 4
	// KindExpire: Key lives until ExpiresAt; the zero time is for ever.
	KindExpire Kind = 5
	// KindRename: Key, a collection, is now called To, and what was called so before is
	// gone. A string, and a collection in its small form, is told as a Delete and as
	// what stands under the other name now.
	KindRename Kind = 6
	// KindReplace: Key is an empty collection of Type, whatever it held before. Its elements
	// follow in the same commit. So begins a collection, one that outgrows its small
	// form, and each version of a list in its small form.
	KindReplace Kind = 7
	// KindSetElement: the collection has the element, with this Value or Score.
	KindSetElement Kind = 8
	// KindRemoveElement: the element was removed.
	KindRemoveElement Kind = 9
	// KindPurgeElement: the element was removed because its time had come. No call had
	// shown it since its ExpiresAt.
	KindPurgeElement Kind = 10
	// KindRemoveItems: the items of a list from Index to End, without End, were removed.
	KindRemoveItems Kind = 11
	// KindMakeKeyspace: the keyspace was made.
	KindMakeKeyspace Kind = 12
	// KindDropKeyspace: the keyspace was dropped with all its keys.
	KindDropKeyspace Kind = 13
	// KindDropAll: all named keyspaces were dropped and all keys of the default one deleted.
	KindDropAll Kind = 14
)

var kindNames = [...]string{
	KindPut: "put", KindDelete: "delete", KindDeleteRange: "delete range", KindExpired: "expired", KindExpire: "expire",
	KindRename: "rename", KindReplace: "replace", KindSetElement: "set element", KindRemoveElement: "remove element",
	KindPurgeElement: "purge element", KindRemoveItems: "remove items", KindMakeKeyspace: "make keyspace",
	KindDropKeyspace: "drop keyspace", KindDropAll: "drop all",
}

// String returns the kind in words.
func (k Kind) String() string {
	if k > 0 && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Change is one thing that a commit did. Which fields mean something depends on the
// Kind. Its slices are valid until the loop's next step.
type Change struct {
	Kind     Kind
	Type     typed.Type // of the key; TypeNone of a KindDelete and of what concerns no single key
	Keyspace string     // its name; empty: the default one
	Key      []byte
	To       []byte // of a Rename

	// Element is the field of a hash, the member of a set or sorted set. Index stands
	// for an item of a list: items are in the order of their indexes, which are no
	// positions and leave gaps. To set an item at an index that is in use replaces it.
	// One commit may move items to other indexes; only its end is a list again.
	Element []byte
	Index   uint64
	End     uint64 // of RemoveItems

	Value []byte  // of a string, a field, an item
	Score float64 // of a member of a sorted set

	// ExpiresAt is when the key of a KindPut or KindExpire, or the element of a KindSetElement,
	// ends; the zero time is never. The time to live of a key is kept by changes of its
	// elements.
	ExpiresAt time.Time

	Lower, Upper []byte // of a DeleteRange

	// Position is behind the commit: a feed after it begins with the next one. Last says
	// that this is the last change of its commit that the feed shows. A follower that
	// keeps a Position keeps that of a Last one, with what it made of the commit.
	Position Position
	Last     bool
	// Time is a reading of the store's clock, not after the commit was written to the
	// log. It never falls from one commit to the next.
	Time time.Time
}
