package base

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
		return ErrKeyTooLarge
	}
	return nil
}
