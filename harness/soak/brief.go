package main

import (
	"fmt"

	"github.com/siltstonedb/siltstone/typed"
)

// ring remembers the last things that were made to end soon. No name comes twice.
type ring struct {
	all  [512]briefItem
	made int
}

type briefItem struct {
	item
	kind briefKind
	name string // of the element, or the key
}

// briefKind is what ends: a part of a collection, or a whole one.
type briefKind uint8

const (
	briefField briefKind = iota
	briefMember
	briefScored
	briefHash
	briefList
	briefKinds
)

// briefly makes something that ends soon, and looks for something that was made so.
func (w *writer) briefly() error {
	b := &w.brief.all[w.brief.made%len(w.brief.all)]
	kind, ttl := briefKind(w.rng.IntN(int(briefKinds))), w.ttl()
	name := w.name("brief", w.brief.made)
	turn, v := w.element()
	var make func() error
	switch kind {
	case briefField:
		make = func() error { _, err := w.db.Hash(w.name("fields", 0)).SetTTL(name, v, ttl); return err }
	case briefMember:
		make = func() error { _, err := w.db.Set(w.name("members", 0)).AddTTL(ttl, name); return err }
	case briefScored:
		make = func() error {
			_, err := w.db.ZSet(w.name("scored", 0)).AddTTL(ttl, typed.Member{Name: name, Score: float64(turn)})
			return err
		}
	case briefHash:
		if err := w.fillHash(name, v); err != nil {
			return err
		}
		make = func() error { return w.db.Key(name).Expire(ttl) }
	case briefList:
		if _, err := w.db.List(name).PushBack(v, v, v); err != nil {
			return err
		}
		make = func() error { return w.db.Key(name).Expire(ttl) }
	}
	from, to, err := timing(ttl, make)
	*b = briefItem{item{turn, from, to}, kind, name}
	w.brief.made++
	if err != nil {
		return err
	}
	return w.lookBriefly(w.rng.IntN(min(w.brief.made, len(w.brief.all))))
}

// fillHash makes a hash that is too large to lie in the record of its key.
func (w *writer) fillHash(name string, v []byte) error {
	var fields []typed.Field
	for i := range 40 {
		fields = append(fields, typed.Field{Name: fmt.Sprint(i), Value: v})
	}
	w.written += int64(len(fields) * len(v))
	_, err := w.db.Hash(name).SetMany(fields...)
	return err
}

func (w *writer) lookBriefly(i int) error {
	b := w.brief.all[i]
	if b.turn == 0 {
		return nil // not made yet
	}
	return b.ends(b.name, func() (bool, error) {
		switch b.kind {
		case briefField:
			return w.db.Hash(w.name("fields", 0)).Has(b.name)
		case briefMember:
			return w.db.Set(w.name("members", 0)).Has(b.name)
		case briefScored:
			_, err := w.db.ZSet(w.name("scored", 0)).Score(b.name)
			return found(err)
		}
		return w.db.Key(b.name).Exists()
	})
}
