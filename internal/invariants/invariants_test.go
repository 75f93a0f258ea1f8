//go:build invariants

package invariants

import (
	"strings"
	"testing"
)

// failures returns what f is told.
func failures(f func()) (told []string) {
	defer OnFailure(func(s string) { told = append(told, s) })()
	f()
	return told
}

func wants(t *testing.T, told []string, want string) {
	t.Helper()
	if len(told) != 1 || !strings.Contains(told[0], want) {
		t.Errorf("told %q, want one that says %q", told, want)
	}
}

func TestALockTakenBelowOneThatIsHeldIsTold(t *testing.T) {
	var set, section, leaf Mutex
	SetRank(&set, Manifest)
	SetRank(&section, Section)
	inOrder := func() {
		set.Lock()
		section.Lock()
		leaf.Lock()
		leaf.Unlock()
		section.Unlock()
		set.Unlock()
	}
	if told := failures(inOrder); len(told) != 0 {
		t.Errorf("locks in their order: %q", told)
	}
	wants(t, failures(func() {
		section.Lock()
		set.Lock()
		set.Unlock()
		section.Unlock()
	}), "manifest.Set.mu is taken while commit.Section.mu is held")
	wants(t, failures(func() {
		leaf.Lock()
		set.Lock()
		set.Unlock()
		leaf.Unlock()
	}), "manifest.Set.mu is taken while a leaf is held")
	if told := failures(inOrder); len(told) != 0 {
		t.Errorf("locks in their order, after all were given back: %q", told)
	}
}

func TestALockBelongsToTheGoroutineThatTookIt(t *testing.T) {
	var m Mutex
	SetRank(&m, Work)
	m.Lock()
	told := make(chan []string)
	go func() {
		told <- failures(func() {
			var below Mutex
			SetRank(&below, Manifest)
			below.Lock() // another goroutine holds m
			below.Unlock()
		})
	}()
	if told := <-told; len(told) != 0 {
		t.Errorf("a lock that another goroutine holds counts: %q", told)
	}
	m.Unlock()
}

func TestAFileSystemCallUnderTheCommitSectionIsTold(t *testing.T) {
	var making, section Mutex
	SetRank(&making, LogFiles)
	SetRank(&section, Section)
	making.Lock()
	if told := failures(func() { Outside("sync")() }); len(told) != 0 {
		t.Errorf("under a lock that allows it: %q", told)
	}
	section.Lock()
	wants(t, failures(func() { Outside("sync")() }), "sync while commit.Section.mu is held")
	wants(t, failures(func() { NotUnder(Section, "Pick") }), "Pick while commit.Section.mu is held")
	section.Unlock()
	making.Unlock()
}

func TestACallOfTheFileSystemHoldsNothing(t *testing.T) {
	var section, ofAnotherStore Mutex
	SetRank(&section, Manifest)
	SetRank(&ofAnotherStore, Keyspaces)
	section.Lock()
	if told := failures(func() {
		back := Outside("sync")
		ofAnotherStore.Lock()
		ofAnotherStore.Unlock()
		back()
	}); len(told) != 0 {
		t.Errorf("a lock inside the call: %q", told)
	}
	wants(t, failures(func() { ofAnotherStore.Lock(); ofAnotherStore.Unlock() }), "is held")
	section.Unlock()
}

func TestMemoryThatIsGivenBackIsSpoiled(t *testing.T) {
	b := []byte("some bytes")
	Poison(b[:4])
	for i, c := range b {
		if c != poison {
			t.Errorf("byte %d is %q", i, c)
		}
	}
}
