package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const proofKeys = 1000

// prove stores a thousand keys, half of them one by one and half in batches,
// overwrites some, closes, reopens and reads all back, by both ways of reading
// and of walking: an engine whose wrapper does not store must not be timed.
func prove(kind engineKind, c Config) error {
	c.Dir = filepath.Join(c.Dir, "proof")
	defer os.RemoveAll(c.Dir)
	b := &bed{kind: kind, config: c, keys: keyShape{random: true}, values: newValues(usualValue), n: proofKeys}
	if err := b.open(); err != nil {
		return err
	}
	defer b.close()
	if err := storeProof(b); err != nil {
		return err
	}
	if err := b.close(); err != nil {
		return err
	}
	if err := b.open(); err != nil {
		return err
	}
	return readProof(b)
}

func storeProof(b *bed) error {
	w := &worker{}
	b.writers(1)
	for i := range uint64(proofKeys / 2) {
		if err := b.put(w, i, 1); err != nil {
			return err
		}
	}
	for i := range uint64(proofKeys / 2) {
		if err := b.put(w, i, 0); err != nil {
			return err
		}
	}
	b.stored = proofKeys / 2
	return b.load()
}

func readProof(b *bed) error {
	w := &worker{}
	for i := range uint64(proofKeys) {
		if err := b.get(w, i, true); err != nil {
			return err
		}
		if !b.values.holds(i, w.value) {
			return fmt.Errorf("%s: key %d came back with another value", b.kind.name, i)
		}
		if v, found, err := b.rare(w.value[:0], w.key); err != nil || !found || !b.values.holds(i, v) {
			return fmt.Errorf("%s: key %d was not found by the read for rare keys: %v", b.kind.name, i, err)
		}
		if err := b.get(w, absentKeys+i, false); err != nil {
			return err
		}
		if err := seekOnce(b.engine, b.keys.append(nil, i), 2); err != nil {
			return err
		}
	}
	for _, back := range []bool{false, true} {
		if n, err := walk(b.engine, back); err != nil || n != proofKeys {
			return fmt.Errorf("%s: a scan (backward %v) saw %d keys of %d: %v", b.kind.name, back, n, proofKeys, err)
		}
	}
	return nil
}
