package siltstone

import (
	"context"
	"testing"
	"time"
)

// An Update behind the gate may ask for a keyspace, which waits for the registry: a
// change that holds the registry must not wait for the gate.
func TestChangesOfTheRegistryAreNotHeldBackByTheGate(t *testing.T) {
	db := contendedStore(t)
	if _, err := db.CreateKeyspace("old"); err != nil {
		t.Fatal(err)
	}
	turn, err := db.section.BeginTurn(context.Background(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer turn.End()
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"Keyspace", func() error { _, err := db.CreateKeyspace("new"); return err }},
		{"DropKeyspace", func() error { return db.DropKeyspace("old") }},
		{"DropAll", db.DropAll},
	} {
		done := make(chan error, 1)
		go func() { done <- c.call() }()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s waits for the gate", c.name)
		}
	}
}
