package siltstone

import (
	"context"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
)

// The errors of the store, to be compared with errors.Is.
//
// Absence: ErrNotFound. Refusals, which change nothing: ErrWrongType,
// ErrReadOnly, ErrEmptyKey, ErrKeyTooLarge, ErrValueTooLarge, ErrTxTooLarge, ErrBadRange,
// ErrBadTTL, ErrNotNumber, ErrOverflow, ErrNaN, ErrOutOfRange, ErrBadOption,
// ErrNoSpace, ErrTxDone, ErrManaged, ErrNested, ErrDropped. Failures, after which
// a transaction cannot commit: ErrCorruption, ErrClosed and errors of the file
// system.
var (
	// ErrNotFound: the key, field, member or collection does not exist.
	ErrNotFound = base.ErrNotFound
	// ErrWrongType: the key holds a value of another type.
	ErrWrongType = base.ErrWrongType
	// ErrConflict: a key or range that the transaction read has changed; run it again.
	ErrConflict = base.ErrConflict
	// ErrTxDone: the transaction has been committed or rolled back.
	ErrTxDone = base.ErrTxDone
	// ErrManaged: Commit or Rollback inside an Update or View, which end their
	// transaction themselves. The transaction goes on.
	ErrManaged = base.ErrManaged
	// ErrNested: a write inside an Update's closure, made outside its
	// transaction, that the transaction itself depends on.
	ErrNested = base.ErrNested
	// ErrClosed: the store, snapshot or iterator has been closed.
	ErrClosed = base.ErrClosed
	// ErrReadOnly: a write to a store or transaction opened for reading.
	ErrReadOnly = base.ErrReadOnly
	// ErrLocked: another holder has the directory open; the error names it.
	ErrLocked = base.ErrLocked
	// ErrCorruption: damage was found in a file; see CorruptionError.
	ErrCorruption = base.ErrCorruption
	// ErrIndeterminate: the commit failed while being made durable. Readers have
	// seen it; whether it survives is known only after the store is reopened.
	ErrIndeterminate = base.ErrIndeterminate
	// ErrPoisoned: an earlier failure ended writing; the error wraps it.
	ErrPoisoned = base.ErrPoisoned
	// ErrNoSpace: the disk, or Options.MaxDiskBytes, has no room for the write.
	ErrNoSpace = base.ErrNoSpace
	// ErrFormatTooNew: the files were written by a newer version.
	ErrFormatTooNew = base.ErrFormatTooNew
	// ErrEmptyKey: a key has no bytes.
	ErrEmptyKey = base.ErrEmptyKey
	// ErrKeyTooLarge: a key has more than MaxKeyLen bytes.
	ErrKeyTooLarge = base.ErrKeyTooLarge
	// ErrValueTooLarge: a value has more than MaxValueLen bytes.
	ErrValueTooLarge = base.ErrValueTooLarge
	// ErrTxTooLarge: a write would take its transaction beyond Options.MaxTxBytes;
	// the error names both sizes.
	ErrTxTooLarge = base.ErrTxTooLarge
	// ErrBadRange: a range's lower bound is above its upper bound.
	ErrBadRange = base.ErrBadRange
	// ErrBadTTL: a time to live is zero or negative.
	ErrBadTTL = base.ErrBadTTL
	// ErrNotNumber: a value that is to be incremented is not a number.
	ErrNotNumber = base.ErrNotNumber
	// ErrOverflow: an increment would leave the range of its number.
	ErrOverflow = base.ErrOverflow
	// ErrNaN: a score or float is, or would become, not a number.
	ErrNaN = base.ErrNaN
	// ErrOutOfRange: a list or string has no such index.
	ErrOutOfRange = base.ErrOutOfRange
	// ErrDropped: the keyspace has been dropped.
	ErrDropped = base.ErrDropped
	// ErrBadOption: an option or a count of a call makes no sense, or two contradict each
	// other.
	ErrBadOption = base.ErrBadOption
	// ErrTooOld: the changes after a position are not kept any more; the error is a
	// *changes.TooOldError, which names the oldest position there is.
	ErrTooOld = base.ErrTooOld
)

// errMisuse is the kind of what no program means to do: a nil context, function or
// batch.
var errMisuse = errors.New("siltstone: misuse")

// errNilContext refuses a nil context.
var errNilContext = base.Errorf(errMisuse, "the context is nil, take context.Background()")

// errNilFunction refuses a View or Update of nothing.
var errNilFunction = base.Errorf(errMisuse, "the function to run in the transaction is nil")

// txKey marks the context of a transaction of the store that has this life: an Update, or a
// call that waits, of the same store which is given that context is inside the closure of
// another.
type txKey struct{ of *lifecycle.State }

// interrupted reports whether background work that failed with err has met no fault: Close
// or the end of a context has ended it, and it is done another time.
func interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrClosed)
}

// CorruptionError says in which file, and where in it, damage was found:
// errors.As finds it. It is ErrCorruption to errors.Is.
type CorruptionError struct {
	File   string // name inside the store's directory
	Offset int64  // in the file, bytes; −1 if the file as a whole is meant
	Err    error  // what is wrong
}

// Error names the file, the offset and what is wrong.
func (e *CorruptionError) Error() string {
	if e == nil {
		return ErrCorruption.Error()
	}
	return (*base.CorruptionError)(e).Error()
}

// Unwrap returns what is wrong.
func (e *CorruptionError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Is reports whether target is ErrCorruption.
func (e *CorruptionError) Is(target error) bool { return target == ErrCorruption }

// Limits, in bytes. Keys and names of keyspaces have at least one.
const (
	MaxKeyLen       = 64 << 10 // in every keyspace
	MaxValueLen     = 1 << 30
	MaxKeyspaceName = 255
)
