package txn

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/waiters"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
)

// Between the look at a collection and the listening to its rows an item may come: the
// first sleep by a collection is none.
func TestACallerLooksAgainOnceItListensToACollection(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var registry waiters.Registry
	l := &Line{
		engine: &Engine{life: lifecycle.New(func(error) {}), clock: clock.New(time.Now)},
		ctx:    ctx, place: registry.Join([]byte("key")),
	}
	defer l.Leave()
	if err := l.Sleep(collection.Due{}); err != nil {
		t.Fatalf("nobody has come before it: %v", err)
	}
	cancel() // what sleeps now is told so
	if err := l.Sleep(collection.Due{ID: 7}); err != nil {
		t.Errorf("it sleeps, though nobody has told it of what came meanwhile: %v", err)
	}
	if err := l.Sleep(collection.Due{ID: 7}); !errors.Is(err, context.Canceled) {
		t.Errorf("it looked again and found nothing: %v, want that it sleeps", err)
	}
	if err := l.Sleep(collection.Due{ID: 8}); err != nil {
		t.Errorf("the key holds another collection: %v", err)
	}
}
