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
	TypeNone   Type = 0 // nothing; in KeyOptions: any
	TypeString Type = 1
	TypeHash   Type = 2
	TypeSet    Type = 3
	TypeZSet   Type = 4
	TypeList   Type = 5
)

// String returns the name Redis has for the type: "string", "hash", "set",
// "zset", "list" or "none".
func (t Type) String() string { return record.Type(t).String() }

// Cond restricts a write to some states of what it would overwrite. Conditions
// are joined with |; a call refuses one that it does not know or that contradicts
// another with ErrBadOption.
type Cond uint8

const (
	CondNX Cond = 1 << iota // only if it does not exist
	CondXX                  // only if it exists
	CondGT                  // only if the new score is greater; does not keep new members out
	CondLT                  // only if the new score is less; does not keep new members out
	CondCH                  // count changed members too, not only added ones
)

// String returns the conditions as they are written, "NX|CH".
func (c Cond) String() string {
	var names []string
	for i, name := range [...]string{"NX", "XX", "GT", "LT", "CH"} {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if rest := c &^ (CondNX | CondXX | CondGT | CondLT | CondCH); rest != 0 || c == 0 {
		names = append(names, fmt.Sprintf("Cond(%d)", uint8(rest)))
	}
	return strings.Join(names, "|")
}

// check refuses a condition outside allowed, and a contradiction.
func (c Cond) check(allowed Cond) error {
	if rest := c &^ allowed; rest != 0 {
		return base.Errorf(base.ErrBadOption, "the call takes no condition %v", rest)
	}
	first := CondNX
	others := c & (CondXX | CondGT | CondLT)
	if c&CondNX == 0 {
		first, others = CondGT, c&CondLT
	}
	if c&first != 0 && others != 0 {
		return base.Errorf(base.ErrBadOption, "the conditions %v and %v contradict each other", first, others)
	}
	return nil
}
