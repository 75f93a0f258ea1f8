package base

import (
	"errors"
	"fmt"
)

// The sentinels of the store. The root package re-exports them; compare with
// errors.Is.
var (
	ErrNotFound      = errors.New("siltstone: not found")
	ErrWrongType     = errors.New("siltstone: key holds another type")
	ErrConflict      = errors.New("siltstone: transaction conflict")
	ErrTxDone        = errors.New("siltstone: transaction has ended")
	ErrNested        = errors.New("siltstone: write from inside an Update that it conflicts with")
	ErrClosed        = errors.New("siltstone: closed")
	ErrReadOnly      = errors.New("siltstone: read-only")
	ErrLocked        = errors.New("siltstone: directory is in use")
	ErrCorruption    = errors.New("siltstone: corruption")
	ErrIndeterminate = errors.New("siltstone: outcome unknown until the store is reopened")
	ErrPoisoned      = errors.New("siltstone: store no longer accepts writes after a failure")
	ErrNoSpace       = errors.New("siltstone: no space")
	ErrFormatTooNew  = errors.New("siltstone: format is newer than this version reads")
	ErrEmptyKey      = errors.New("siltstone: empty key")
	ErrKeyTooLarge   = errors.New("siltstone: key too large")
	ErrValueTooLarge = errors.New("siltstone: value too large")
	ErrTxTooLarge    = errors.New("siltstone: transaction too large")
	ErrBadRange      = errors.New("siltstone: lower bound is above upper bound")
	ErrBadTTL        = errors.New("siltstone: time to live is not positive")
	ErrNotNumber     = errors.New("siltstone: value is not a number")
	ErrOverflow      = errors.New("siltstone: increment would overflow")
	ErrNaN           = errors.New("siltstone: not a number (NaN)")
	ErrOutOfRange    = errors.New("siltstone: index out of range")
	ErrDropped       = errors.New("siltstone: keyspace has been dropped")
	ErrSyntax        = errors.New("siltstone: options contradict each other")
)

// CorruptionError says where damage was found. It is ErrCorruption to
// errors.Is.
type CorruptionError struct {
	File   string // name inside the store's directory
	Offset int64  // in the file, bytes; −1 if the file as a whole is meant
	Err    error  // what is wrong
}

func (e *CorruptionError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("siltstone: corruption in %s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("siltstone: corruption in %s at offset %d: %v", e.File, e.Offset, e.Err)
}

func (e *CorruptionError) Unwrap() error { return e.Err }

// Is makes every CorruptionError match ErrCorruption.
func (e *CorruptionError) Is(target error) bool { return target == ErrCorruption }

// Corruptf returns a CorruptionError with a formatted reason. Offset −1 means
// the file as a whole.
func Corruptf(file string, offset int64, format string, args ...any) error {
	return &CorruptionError{File: file, Offset: offset, Err: fmt.Errorf(format, args...)}
}
