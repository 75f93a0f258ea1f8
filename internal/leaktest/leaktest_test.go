package leaktest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// look is wait without patience, for what mentions want.
func look(t *testing.T, dir, want string) bool {
	t.Helper()
	for _, what := range wait(dir, 0) {
		if strings.Contains(what, want) {
			return true
		}
	}
	return false
}

func TestAGoroutineIsFound(t *testing.T) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		<-done
	}()
	if !look(t, t.TempDir(), "TestAGoroutineIsFound.func1") {
		t.Error("a goroutine that waits is not found")
	}
	close(done)
	<-ended
	for end := time.Now().Add(patience); look(t, t.TempDir(), "TestAGoroutineIsFound.func1"); {
		if time.Now().After(end) {
			t.Fatal("a goroutine that has ended is still found")
		}
	}
}

func TestADescriptorAndAFileAreFound(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	if !look(t, dir, "file "+f.Name()) {
		t.Error("the file is not found")
	}
	if _, err := os.Stat("/proc/self/fd"); err == nil && !look(t, dir, "descriptor of "+f.Name()) {
		t.Error("the descriptor is not found")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if look(t, dir, "descriptor of") {
		t.Error("a closed file is found")
	}
}

func TestALeakFailsTheRun(t *testing.T) {
	before := map[string]string{}
	for _, name := range []string{nested, "TMPDIR", "TMP", "TEMP"} {
		before[name] = os.Getenv(name)
	}
	defer func() {
		for name, value := range before {
			os.Setenv(name, value)
		}
	}()
	if code := run(func() int { return 3 }, 0); code != 3 {
		t.Errorf("a failed run ends with %d", code)
	}
	// The test's own goroutines count as left behind: the runner waits for it.
	stop := make(chan struct{})
	defer close(stop)
	go func() { <-stop }()
	if code := run(func() int { return 0 }, 0); code != 1 {
		t.Errorf("a run that leaks ends with %d", code)
	}
}
