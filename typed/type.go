package typed

import (
	"fmt"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

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

// String returns the conditions as they are written, "NX|CH".
func (c Cond) String() string {
	var names []string
	for i, name := range [...]string{"NX", "XX", "GT", "LT", "CH"} {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if rest := c &^ (NX | XX | GT | LT | CH); rest != 0 || c == 0 {
		names = append(names, fmt.Sprintf("Cond(%d)", uint8(rest)))
	}
	return strings.Join(names, "|")
}

// check refuses a condition outside allowed, and a contradiction.
func (c Cond) check(allowed Cond) error {
	if rest := c &^ allowed; rest != 0 {
		return base.Errorf(base.ErrSyntax, "the call takes no condition %v", rest)
	}
	first := NX
	others := c & (XX | GT | LT)
	if c&NX == 0 {
		first, others = GT, c&LT
	}
	if c&first != 0 && others != 0 {
		return base.Errorf(base.ErrSyntax, "the conditions %v and %v contradict each other", first, others)
	}
	return nil
}
