package keyspace

import (
	"maps"
	"slices"

	"github.com/siltstonedb/siltstone/internal/invariants"
)

// Registry knows the keyspaces that were handed out since the store was opened.
// Which there are is written in registry rows; an edit of the manifest reserves
// their numbers, which are never used twice. The zero Registry is ready. It is
// safe for concurrent use.
type Registry struct {
	// Changing is held by a caller that makes or drops a keyspace, across its commit.
	Changing invariants.Mutex

	mu   invariants.RWMutex
	open map[string]*Space
}

// Get returns a keyspace that was handed out and not dropped; nil if there is
// none of that name.
func (r *Registry) Get(name string) *Space {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if s := r.open[name]; s != nil && !s.Dropped() {
		return s
	}
	return nil
}

// Add hands a keyspace out: from now on Get returns it.
func (r *Registry) Add(s *Space) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[string]*Space{}
	}
	r.open[s.Name] = s
}

// All returns the keyspaces that were handed out.
func (r *Registry) All() []*Space {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Values(r.open))
}

// Forget lets go of keyspaces that were dropped.
func (r *Registry) Forget(dropped ...*Space) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range dropped {
		if s.Dropped() && r.open[s.Name] == s {
			delete(r.open, s.Name)
		}
	}
}
