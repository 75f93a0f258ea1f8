package collection

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
)

func CheckName(name string) error {
	if name == "" {
		return base.ErrEmptyKey
	}
	if len(name) > base.MaxKeyLen {
		return base.KeyTooLarge(len(name))
	}
	return nil
}

// CheckMember is for fields and members, which may be empty.
func CheckMember(member string) error {
	if len(member) > base.MaxKeyLen {
		return base.Errorf(base.ErrKeyTooLarge, "field or member has %d bytes, the limit is %d", len(member), base.MaxKeyLen)
	}
	return nil
}

func CheckMembers(members []string) error {
	for _, m := range members {
		if err := CheckMember(m); err != nil {
			return err
		}
	}
	return nil
}

func CheckValue(value []byte) error { return base.CheckValue(len(value)) }

// AbsentOK turns ErrNotFound into nil.
func AbsentOK(err error) error {
	if errors.Is(err, base.ErrNotFound) {
		return nil
	}
	return err
}

// Owned returns b, which is the caller's, as a value that is not nil.
func Owned(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
