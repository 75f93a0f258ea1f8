package collection

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
)

func CheckName(name string) error {
	if name == "" {
		return base.ErrEmptyKey
	}
	return CheckMember(name)
}

// CheckMember is for fields and members, which may be empty.
func CheckMember(member string) error {
	if len(member) > base.MaxKeyLen {
		return base.ErrKeyTooLarge
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

func CheckValue(value []byte) error {
	if len(value) > base.MaxValueLen {
		return base.ErrValueTooLarge
	}
	return nil
}

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
