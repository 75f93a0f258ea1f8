// Package leaktest makes a package's tests fail if they leave a goroutine of
// ours, an open file or a temporary file behind. A TestMain calls it:
//
//	func TestMain(m *testing.M) { leaktest.Main(m) }
//
// What is left is looked for once, when all tests have ended, so a test costs
// nothing more. Only tests import it.
package leaktest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// nested is set in the environment while tests run: a process that a test starts
// is that test's to clean up after, for it may be killed.
const nested = "SILTSTONE_LEAKTEST"

// patience is how long what is about to end may take to do so.
const patience = 5 * time.Second

// Main runs the tests of m and ends the process, with a failure if they leave
// something behind. Temporary directories are made below one of its own.
func Main(m *testing.M) {
	if os.Getenv(nested) != "" {
		os.Exit(m.Run())
	}
	os.Exit(run(m.Run, patience))
}

// run runs the tests and returns the code to exit with.
func run(tests func() int, patience time.Duration) int {
	dir, err := os.MkdirTemp("", "siltstone-test-")
	if err == nil {
		err = setTemp(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "leaktest:", err)
		return 1
	}
	code := tests()
	left := wait(dir, patience)
	for _, what := range left {
		fmt.Fprintln(os.Stderr, "leaktest: left behind:", what)
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "leaktest:", err)
		return 1
	}
	if len(left) > 0 {
		return max(code, 1)
	}
	return code
}

// setTemp makes dir the directory of temporary files, on every system.
func setTemp(dir string) error {
	for _, name := range []string{nested, "TMPDIR", "TMP", "TEMP"} {
		if err := os.Setenv(name, dir); err != nil {
			return err
		}
	}
	return nil
}

// wait returns what is left after everything had time to end.
func wait(dir string, patience time.Duration) (left []string) {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		left = append(append(goroutines(), descriptors(dir)...), files(dir)...)
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

const modulePath = "github.com/siltstonedb/siltstone"

// goroutines returns the stacks of those that run our code, the caller's
// excepted.
func goroutines() (left []string) {
	buf := make([]byte, 1<<20)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	_, others, _ := strings.Cut(string(buf[:n]), "\n\n") // the first is this one
	for stack := range strings.SplitSeq(others, "\n\n") {
		if strings.Contains(stack, modulePath) {
			left = append(left, stack)
		}
	}
	return left
}

// descriptors returns the files below dir that this process has open, where the
// system tells.
func descriptors(dir string) (left []string) {
	const fds = "/proc/self/fd"
	names, err := os.ReadDir(fds)
	if err != nil {
		return nil
	}
	for _, name := range names {
		target, err := os.Readlink(filepath.Join(fds, name.Name()))
		if err == nil && strings.HasPrefix(target, dir) {
			left = append(left, "descriptor of "+target)
		}
	}
	return left
}

// files returns everything below dir.
func files(dir string) (left []string) {
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != dir {
			left = append(left, "file "+path)
		}
		return nil
	})
	return left
}
