package txn

import (
	"testing"

	"github.com/siltstonedb/siltstone/internal/keyspace"
)

func TestKeyLocksTellKeyspacesApart(t *testing.T) {
	var l keyLocks
	if l.of(nil, "k") == l.of(keyspace.New("", 1), "k") {
		t.Error("the same key of two keyspaces has one lock")
	}
	first, again := l.of(keyspace.New("", 1), "k"), l.of(keyspace.New("", 1), "k")
	if first != again {
		t.Error("one key has two locks")
	}
}
