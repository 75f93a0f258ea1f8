package typed

import "github.com/siltstonedb/siltstone/internal/record"

// Type says what a key holds. The numbers are those on disk.
type Type uint8

const (
	TypeNone   = Type(record.TypeNone) // nothing; in KeyOptions: any
	TypeString = Type(record.TypeString)
	TypeHash   = Type(record.TypeHash)
	TypeSet    = Type(record.TypeSet)
	TypeZSet   = Type(record.TypeZSet)
	TypeList   = Type(record.TypeList)
)

// String returns the name Redis has for the type: "string", "hash", "set",
// "zset", "list" or "none".
func (t Type) String() string { return record.Type(t).String() }

// Cond restricts a write to some states of what it would overwrite. Conditions
// are joined with |; a call refuses one that it does not know or that contradicts
// another with ErrSyntax.
type Cond uint8

const (
	NX Cond = 1 << iota // only if it does not exist
	XX                  // only if it exists
	GT                  // only if the new score is greater; does not keep new members out
	LT                  // only if the new score is less; does not keep new members out
	CH                  // count changed members too, not only added ones
)

// excludes reports whether c has a bit outside allowed or a contradiction.
func (c Cond) excludes(allowed Cond) bool {
	both := func(a, b Cond) bool { return c&a != 0 && c&b != 0 }
	return c&^allowed != 0 || both(NX, XX|GT|LT) || both(GT, LT)
}
