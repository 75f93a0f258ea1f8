package changes_test

import (
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/typed"
)

// element sets or removes an element of a collection that has names.
func (l *lister) element(rw siltstone.ReadWriter, at place, h *held) []string {
	var was *held
	if h == nil {
		typ := []typed.Type{typed.TypeHash, typed.TypeSet, typed.TypeZSet}[l.rng.IntN(3)]
		h = l.begins(at, &held{typ: typ, elements: map[string]string{}})
	} else {
		was = h.clone()
	}
	name := fmt.Sprintf("e%d", l.rng.IntN(5))
	_, there := h.elements[name]
	if there && (h.typ == typed.TypeSet || l.rng.IntN(2) == 0) {
		return l.without(rw, at, was, h, name)
	}
	var err error
	value := l.fresh()
	switch h.typ {
	case typed.TypeHash:
		_, err = rw.Hash(at.key).Set(name, []byte(value))
	case typed.TypeZSet:
		_, err = rw.ZSet(at.key).Add(name, float64(l.values))
		value = fmt.Sprint(float64(l.values))
	default:
		_, err = rw.Set(at.key).Add(name)
		value = ""
	}
	done(l.t, err)
	h.elements[name] = value
	return l.became(at, was, h)
}

// without removes an element.
func (l *lister) without(rw siltstone.ReadWriter, at place, was, h *held, name string) []string {
	var err error
	switch h.typ {
	case typed.TypeHash:
		_, err = rw.Hash(at.key).Remove(name)
	case typed.TypeZSet:
		_, err = rw.ZSet(at.key).Remove(name)
	default:
		_, err = rw.Set(at.key).Remove(name)
	}
	done(l.t, err)
	delete(h.elements, name)
	return l.became(at, was, h)
}

// list adds items to a list or takes one.
func (l *lister) list(rw siltstone.ReadWriter, at place, h *held) []string {
	var was *held
	var err error
	list := rw.List(at.key)
	if h != nil {
		was = h.clone()
	}
	switch n := l.rng.IntN(4); {
	case h == nil || n == 0 && len(h.items) < 8:
		if h == nil {
			h = l.begins(at, &held{typ: typed.TypeList})
		}
		a, b := l.fresh(), l.fresh()
		h.items = append(h.items, a, b)
		_, err = list.PushBack([]byte(a), []byte(b))
	case n == 1 && len(h.items) < 8:
		a := l.fresh()
		h.first--
		h.items = append([]string{a}, h.items...)
		_, err = list.PushFront([]byte(a))
	case n == 2:
		h.first++
		h.items = h.items[1:]
		_, err = list.PopFront()
	default:
		h.items = h.items[:len(h.items)-1]
		_, err = list.PopBack()
	}
	done(l.t, err)
	return l.became(at, was, h)
}

// parts returns what a collection has by what tell shows in front of the value.
func (h *held) parts(inline bool) map[string]string {
	parts := map[string]string{}
	if h == nil {
		return parts
	}
	for name, value := range h.elements {
		parts["."+name] = value
	}
	for i, value := range h.items {
		index := h.first + int64(i)
		if inline {
			index = int64(i)
		}
		parts[fmt.Sprintf("[%d]", index)] = value
	}
	return parts
}

// became lists how a collection came to be what it is. was is what stood there, nil for
// nothing.
func (l *lister) became(at place, was, h *held) (events []string) {
	if was != nil && was.typ != h.typ {
		was = nil
	}
	if len(h.elements)+len(h.items) == 0 {
		if !l.inline {
			events = l.removed(at, was, h)
		}
		delete(l.keys, at)
		return append(events, line(changes.KindDelete, at, 0, "", 0))
	}
	if l.inline && h.typ == typed.TypeList {
		was = nil // each version is told whole
	}
	lasted := time.Duration(0)
	if was == nil {
		events = append(events, line(changes.KindReplace, at, h.typ, "", 0))
	} else {
		lasted = l.lasts(was)
	}
	had := was.parts(l.inline)
	for part, value := range h.parts(l.inline) {
		if old, there := had[part]; there && old == value {
			continue
		}
		if h.typ != typed.TypeSet {
			part += " = " + value
		}
		events = append(events, line(changes.KindSetElement, at, h.typ, part, 0))
	}
	if events = append(events, l.removed(at, was, h)...); l.lasts(h) != lasted {
		events = append(events, line(changes.KindExpire, at, h.typ, "", l.lasts(h)))
	}
	return events
}

func (l *lister) removed(at place, was, h *held) (events []string) {
	has := h.parts(l.inline)
	for part := range was.parts(l.inline) {
		if _, there := has[part]; !there {
			events = append(events, line(changes.KindRemoveElement, at, h.typ, part, 0))
		}
	}
	return events
}
