package resp

import (
	"math"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// joinedElements are SADDs, HSETs or ZADDs of one element each to one key. They are one call
// on the collection, which writes its metadata and the pages of its order once. Which
// elements are new is looked up before: the call tells only how many.
type joinedElements struct {
	names   []string
	fields  []typed.Field
	members []typed.Member
	fresh   []bool              // the element is new
	met     map[string]struct{} // names that are
}

// adds reports whether commands of that name are merged by joinedElements.
func (cmd *command) adds() bool {
	return cmd.name == "sadd" || cmd.name == "hset" || cmd.name == "zadd"
}

func (e *joinedElements) reset() {
	clear(e.names)
	clear(e.fields)
	clear(e.members)
	clear(e.met)
	e.names, e.fields, e.members, e.fresh = e.names[:0], e.fields[:0], e.members[:0], e.fresh[:0]
}

// take notes the element of a command, which must be one that its command takes.
func (e *joinedElements) take(cmd *command, args [][]byte) error {
	switch cmd.name {
	case "hset":
		e.names = append(e.names, string(args[2]))
		e.fields = append(e.fields, typed.Field{Name: e.names[len(e.names)-1], Value: args[3]})
	case "zadd":
		score, ok := parseFloat(args[2])
		if !ok {
			return errNotFloat // or it is an option, and wrong in its place
		}
		e.names = append(e.names, string(args[3]))
		e.members = append(e.members, typed.Member{Name: e.names[len(e.names)-1], Score: score})
	default:
		e.names = append(e.names, string(args[2]))
	}
	return nil
}

// add commits the elements.
func (j *joined) add(call *call) error {
	name, key, e := j.calls[0].cmd.name, j.args[1], &j.added
	for _, one := range j.calls {
		if err := e.take(one.cmd, j.args[one.from:one.to]); err != nil {
			return err
		}
	}
	err := call.s.db.Update(call.s.ctx, func(tx *siltstone.Tx) error {
		e.fresh = e.fresh[:0]
		switch space := tx.In(call.keyspace); name {
		case "sadd":
			return e.addTo(space.Set(string(key)))
		case "zadd":
			return e.scoreIn(space.ZSet(string(key)))
		default:
			return e.setIn(space.Hash(string(key)))
		}
	})
	if err != nil {
		return err
	}
	e.onceFresh()
	for _, fresh := range e.fresh {
		switch {
		case name == "hset":
			call.changed(key, 'h', name)
		case name == "zadd":
			call.changed(key, 'z', name)
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

func (e *joinedElements) scoreIn(z typed.ZSet) error {
	scores, err := z.Scores(e.names...)
	if err != nil {
		return err
	}
	for _, score := range scores {
		e.fresh = append(e.fresh, math.IsNaN(score))
	}
	_, err = z.AddMany(0, e.members...)
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
