package base

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// The sentinels of the store. The root package re-exports them; compare with
// errors.Is.
var (
	ErrNotFound      = errors.New("siltstone: not found")
	ErrWrongType     = errors.New("siltstone: key holds another type")
	ErrConflict      = errors.New("siltstone: transaction conflict")
	ErrTxDone        = errors.New("siltstone: transaction has ended")
	ErrManaged       = errors.New("siltstone: Update and View end their transaction themselves")
	ErrNested        = errors.New("siltstone: write from inside an Update that it conflicts with, which does not use its Tx")
	ErrClosed        = errors.New("siltstone: closed")
	ErrReadOnly      = errors.New("siltstone: read-only")
	ErrLocked        = errors.New("siltstone: directory is in use")
	ErrCorruption    = errors.New("siltstone: corruption")
	ErrIndeterminate = errors.New("siltstone: outcome unknown until the store is reopened")
	ErrPoisoned      = errors.New("siltstone: store no longer accepts writes after a failure")
	ErrNoSpace       = errors.New("siltstone: no space")
	ErrFormatTooNew  = errors.New("siltstone: format is newer than this version reads, upgrade to one that reads it")
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
	ErrBadOption     = errors.New("siltstone: bad option")
	ErrTooOld        = errors.New("siltstone: changes after this position are not kept any more")
)

// ErrReadOnlyStore is ErrReadOnly of every call that writes to a store that was
// opened for reading.
var ErrReadOnlyStore = Errorf(ErrReadOnly, "the store was opened read-only")

// ErrReplica is ErrReadOnly of every call that writes to a replica.
var ErrReplica = Errorf(ErrReadOnly, "the store was opened by OpenReplica, and takes commits by Replay alone")

// detailed is an error of the kind of a sentinel, with a text that says what it is
// about.
type detailed struct {
	text string
	kind error
}

func (e *detailed) Error() string { return e.text }
func (e *detailed) Unwrap() error { return e.kind }

// Errorf returns an error of the kind of a sentinel whose text, which replaces the
// sentinel's, says what it is about.
func Errorf(kind error, format string, args ...any) error {
	return &detailed{prefix + fmt.Sprintf(format, args...), kind}
}

// Quote is the beginning of a name of the user's in quotes, for a text. It does not
// keep the name, which may be borrowed.
func Quote(name string) string { return strconv.Quote(name[:min(len(name), 64)]) }

// prefix begins the text of every error of the store.
const prefix = "siltstone: "

// In returns err with the place it is about in front: "siltstone: place: text". A
// nil err stays nil.
func In(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &detailed{prefix + fmt.Sprintf(format, args...) + ": " + strings.ReplaceAll(err.Error(), prefix, ""), err}
}

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

// As gives errors.As the error as another type with the same fields: the root
// package has one, so that no exported type is an internal one.
func (e *CorruptionError) As(target any) bool {
	v := reflect.ValueOf(target).Elem()
	if v.Kind() != reflect.Pointer || !reflect.TypeFor[*CorruptionError]().ConvertibleTo(v.Type()) {
		return false
	}
	v.Set(reflect.ValueOf(e).Convert(v.Type()))
	return true
}

// Corruptf returns a CorruptionError with a formatted reason. Offset −1 means
// the file as a whole.
func Corruptf(file string, offset int64, format string, args ...any) error {
	return &CorruptionError{File: file, Offset: offset, Err: fmt.Errorf(format, args...)}
}
