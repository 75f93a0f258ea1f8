package record

import "github.com/siltstonedb/siltstone/internal/base"

// Type is the type of the value a key holds. The numbers are on disk and
// frozen. Element rows, system rows and tombstones have TypeNone; an element with
// a time to live has TypeVolatile, which no key has.
type Type uint8

const (
	TypeNone   Type = 0
	TypeString Type = 1
	TypeHash   Type = 2
	TypeSet    Type = 3
	TypeZSet   Type = 4
	TypeList   Type = 5

	TypeVolatile Type = 6
)

// IsCollection reports whether a put of type t is a metadata row.
func (t Type) IsCollection() bool { return t >= TypeHash && t <= TypeList }

// Known reports whether this version writes t.
func (t Type) Known() bool { return t <= TypeVolatile }

// WrongType refuses a call that wants a key of one type and found another.
func WrongType(key []byte, holds, wants Type) error {
	return base.Errorf(base.ErrWrongType, "key %s holds a %s, not a %s", base.Quote(string(key)), holds.name(), wants.name())
}

// name is String in words.
func (t Type) name() string {
	if t == TypeZSet {
		return "sorted set"
	}
	return t.String()
}

func (t Type) String() string {
	switch t {
	case TypeNone:
		return "none"
	case TypeString:
		return "string"
	case TypeHash:
		return "hash"
	case TypeSet:
		return "set"
	case TypeZSet:
		return "zset"
	case TypeList:
		return "list"
	case TypeVolatile:
		return "volatile"
	}
	return "unknown"
}
