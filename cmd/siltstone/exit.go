package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/siltstonedb/siltstone"
	"github.com/spf13/cobra"
)

// The exit codes. docs/tool.md lists them; they do not change.
const (
	exitOK       = 0
	exitError    = 1 // anything that has no code of its own
	exitUsage    = 2 // unknown command or flag, or an argument that makes no sense
	exitNotFound = 3 // there is no such key, keyspace or store
	exitDamage   = 4 // damage was found
	exitInUse    = 5 // another process has the store open
	exitFindings = 6 // doctor found something to do, other than damage

	exitPipe = 128 + 13 // whoever reads the output has gone; what a shell says of SIGPIPE
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usagef returns a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// codeError is an error that chooses its exit code. Without an err nothing is printed: the
// command has said it all.
type codeError struct {
	code int
	err  error
}

func (e codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e codeError) Unwrap() error { return e.err }

// adviceError is an error with a line that says what to do.
type adviceError struct {
	error
	advice string
}

func (e adviceError) Unwrap() error { return e.error }

// advise adds to err what to do about it.
func advise(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return adviceError{err, fmt.Sprintf(format, args...)}
}

// withUsage adds to a mistake in the command line how the command is called, unless it is
// said already what to do.
func withUsage(cmd *cobra.Command, err error) error {
	var usage usageError
	var advice adviceError
	if !errors.As(err, &usage) || errors.As(err, &advice) {
		return err
	}
	if cmd.HasSubCommands() {
		return advise(err, "%s --help lists the commands", cmd.CommandPath())
	}
	return advise(err, "usage: %s; %s --help has more", cmd.UseLine(), cmd.CommandPath())
}

// onlyCommands is for commands that have others below them and take no argument. It names
// those that an unknown one may have been meant for.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("%q is no command of %s", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return advise(err, "did you mean %s?", strings.Join(near, " or "))
	}
	return err
}

// report prints err with what to do about it, and returns the exit code.
func (t *tool) report(err error) int {
	if err == nil {
		return exitOK
	}
	var coded codeError
	if errors.As(err, &coded) && coded.err == nil {
		return coded.code
	}
	fmt.Fprintf(t.err, "siltstone: %s\n", safe(told(err)))
	if advice := adviceOn(err); advice != "" {
		fmt.Fprintf(t.err, "  %s\n", safe(advice))
	}
	return exitCode(err)
}

// told returns the text of an error without the name of the library in front.
func told(err error) string { return strings.TrimPrefix(err.Error(), "siltstone: ") }

// exitCode returns the code of an error.
func exitCode(err error) int {
	var coded codeError
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, siltstone.ErrLocked):
		return exitInUse
	case errors.Is(err, siltstone.ErrCorruption):
		return exitDamage
	case errors.Is(err, siltstone.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return exitNotFound
	}
	return exitError
}

// adviceOn says what to do about an error, or nothing.
func adviceOn(err error) string {
	var advice adviceError
	switch {
	case errors.As(err, &advice):
		return advice.advice
	case errors.Is(err, siltstone.ErrLocked):
		return inUseAdvice
	case errors.Is(err, siltstone.ErrCorruption):
		return "siltstone check DIR names every fault; siltstone repair DIR NEW makes a new store of what can be read"
	case errors.Is(err, siltstone.ErrFormatTooNew):
		return "a newer version wrote these files: install that version of the tool"
	case errors.Is(err, siltstone.ErrNoSpace):
		return "free space on the disk, or raise MaxDiskBytes where the store is opened; nothing was lost"
	case errors.Is(err, fs.ErrPermission):
		return "run the tool as a user who may do that; a store is its owner's alone"
	case errors.Is(err, syscall.EROFS):
		return "the file system is mounted for reading only: mount it for writing, or make a copy with siltstone checkpoint"
	case errors.Is(err, context.Canceled):
		return "interrupted; nothing was left half done"
	}
	return ""
}
