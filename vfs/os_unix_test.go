//go:build unix && !aix && !solaris && !illumos

package vfs

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestOSOpenDoesNotWaitOnAPipe(t *testing.T) {
	name := t.TempDir() + "/pipe"
	must(t, unix.Mkfifo(name, 0o600))
	if _, err := OS.Open(name); err == nil {
		t.Error("opened a pipe")
	}
}

func TestOSFilesStayOffTheStandardDescriptors(t *testing.T) {
	saved, err := unix.Dup(0)
	must(t, err)
	must(t, unix.Close(0))
	defer func() {
		must(t, unix.Dup2(saved, 0))
		must(t, unix.Close(saved))
	}()
	f := mustCreate(t, OS, t.TempDir()+"/f")
	defer f.Close()
	if fd := f.(*osFile).f.Fd(); fd < 3 {
		t.Errorf("the file has descriptor %d", fd)
	}
}
