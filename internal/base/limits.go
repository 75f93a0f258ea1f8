package base

import "time"

// Limits of what the store accepts. Row keys are longer than user keys: a space
// byte, a keyspace number, a collection id, tags and a score come before the
// user's bytes, so every length in a format has more than 16 bits.
const (
	MaxKeyLen    = 64 << 10 // user keys, fields and members, bytes
	MaxValueLen  = 1 << 30  // values, bytes
	MaxRowKeyLen = MaxKeyLen + 64
)

// CheckKey refuses what cannot be a user's key.
func CheckKey(key []byte) error {
	switch {
	case len(key) == 0:
		return ErrEmptyKey
	case len(key) > MaxKeyLen:
		return KeyTooLarge(len(key))
	}
	return nil
}

// KeyTooLarge refuses a key of n bytes.
func KeyTooLarge(n int) error {
	return Errorf(ErrKeyTooLarge, "key has %d bytes, the limit is %d", n, MaxKeyLen)
}

// CheckValue refuses a value of n bytes that is too large.
func CheckValue(n int) error {
	if n <= MaxValueLen {
		return nil
	}
	return ValueTooLarge(int64(n))
}

// ValueTooLarge refuses a value that has, or would have, n bytes.
func ValueTooLarge(n int64) error {
	return Errorf(ErrValueTooLarge, "value of %d bytes, the limit is %d", n, MaxValueLen)
}

// CheckTTL refuses a time to live that is no time.
func CheckTTL(ttl time.Duration) error {
	if ttl <= 0 {
		return Errorf(ErrBadTTL, "time to live %v is not positive", ttl)
	}
	return nil
}
