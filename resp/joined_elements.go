package resp

import (
	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// joinedElements are SADDs or HSETs of one element each to one key. They are one call on the
// collection, which writes its metadata once. Which elements are new is looked up before:
// the call tells only how many. With ZADDs more is lost by that than won.
type joinedElements struct {
	names  []string
	fields []typed.Field
	fresh  []bool              // the element is new
	met    map[string]struct{} // names that are
}

// adds reports whether commands of that name are merged by joinedElements.
func (cmd *command) adds() bool { return cmd.name == "sadd" || cmd.name == "hset" }

func (e *joinedElements) reset() {
	clear(e.names)
	clear(e.fields)
	clear(e.met)
	e.names, e.fields, e.fresh = e.names[:0], e.fields[:0], e.fresh[:0]
}

// add commits the elements.
func (j *joined) add(call *call) error {
	name, key, e := j.calls[0].cmd.name, j.args[1], &j.added
	for _, one := range j.calls {
		name := string(j.args[one.from+2])
		e.names = append(e.names, name)
		if one.cmd.name == "hset" {
			e.fields = append(e.fields, typed.Field{Name: name, Value: j.args[one.from+3]})
		}
	}
	err := call.s.db.Update(call.s.ctx, func(tx *siltstone.Tx) error {
		e.fresh = e.fresh[:0]
		space := tx.In(call.keyspace)
		if name == "sadd" {
			return e.addTo(space.Set(string(key)))
		}
		return e.setIn(space.Hash(string(key)))
	})
	if err != nil {
		return err
	}
	e.onceFresh()
	for _, fresh := range e.fresh {
		switch {
		case name == "hset":
			call.changed(key, 'h', name)
		case fresh:
			call.changed(key, 's', name)
		}
		call.out.bit(fresh)
	}
	return nil
}

func (e *joinedElements) addTo(s typed.Set) error {
	there, err := s.HasMany(e.names...)
	if err != nil {
		return err
	}
	all := true
	for _, has := range there {
		e.fresh = append(e.fresh, !has)
		all = all && has
	}
	if !all {
		_, err = s.Add(e.names...)
	}
	return err
}

func (e *joinedElements) setIn(h typed.Hash) error {
	for _, name := range e.names {
		has, err := h.Has(name)
		if err != nil {
			return err
		}
		e.fresh = append(e.fresh, !has)
	}
	_, err := h.SetMany(e.fields...)
	return err
}

// onceFresh leaves of an element that comes several times the first as new.
func (e *joinedElements) onceFresh() {
	if e.met == nil {
		e.met = map[string]struct{}{}
	}
	for i, name := range e.names {
		if !e.fresh[i] {
			continue
		}
		if _, met := e.met[name]; met {
			e.fresh[i] = false
		}
		e.met[name] = struct{}{}
	}
}
