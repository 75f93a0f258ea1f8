package typed

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/collection"
)

// setWalk walks the members of one set in order.
type setWalk struct {
	collection.Elements
	at []byte // the member it stands on, borrowed; nil at the end
}

func openWalk(t collection.Txn, c *collection.Collection) (w setWalk, err error) {
	w.Elements, err = c.Scan(t, collection.Part{}, collection.ScanOptions{KeysOnly: true})
	return w, err
}

func (w *setWalk) step() bool {
	if !w.Next() {
		w.at = nil
		return false
	}
	w.at = w.Member()
	return true
}

// membership answers whether a set has the members asked for, which must come in
// order: by walking along, or by look-ups if the set is much larger than what is
// asked.
type membership struct {
	set  *collection.Collection
	walk setWalk // not opened: by look-up
	done bool    // nothing more to meet on the walk
}

// lookUpFactor is how many steps of a walk one look-up is worth.
const lookUpFactor = 16

func openMembership(t collection.Txn, c *collection.Collection, asked uint64) (m membership, err error) {
	m.set = c
	if !c.Exists() {
		m.done = true
		return m, nil
	}
	if c.Count()/lookUpFactor > asked {
		return m, nil
	}
	if m.walk, err = openWalk(t, c); err != nil {
		return m, err
	}
	return m, m.step()
}

func (m *membership) step() error {
	if m.walk.step() {
		return nil
	}
	m.done = true
	return m.walk.Err()
}

func (m *membership) has(t collection.Txn, member []byte) (bool, error) {
	if m.done {
		return false, nil
	}
	if !m.walk.Opened() {
		return m.set.HasBytes(t, member)
	}
	for {
		switch c := bytes.Compare(m.walk.at, member); {
		case c == 0:
			return true, nil
		case c > 0:
			return false, nil
		}
		if err := m.step(); err != nil || m.done {
			return false, err
		}
	}
}

func (m *membership) close() { m.walk.Close() }

// unite merges the sets with a binary heap: heap[0] stands on the smallest member.
func unite(t collection.Txn, sets []collection.Collection, each func([]byte) (bool, error)) error {
	heap := make([]setWalk, 0, len(sets))
	defer func() {
		for i := range heap[:cap(heap)] {
			heap[:cap(heap)][i].Close()
		}
	}()
	for i := range sets {
		if !sets[i].Exists() {
			continue
		}
		w, err := openWalk(t, &sets[i])
		heap = append(heap, w)
		if err != nil {
			return err
		}
		if !heap[len(heap)-1].step() {
			if err := heap[len(heap)-1].Err(); err != nil {
				return err
			}
			w.Close()
			heap = heap[:len(heap)-1]
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		siftDown(heap, i)
	}
	var last []byte // the member yielded last
	for first := true; len(heap) > 0; {
		if m := heap[0].at; first || !bytes.Equal(m, last) {
			first = false
			last = append(last[:0], m...)
			if more, err := each(last); err != nil || !more {
				return err
			}
		}
		if !heap[0].step() {
			if err := heap[0].Err(); err != nil {
				return err
			}
			n := len(heap) - 1
			heap[0], heap[n] = heap[n], heap[0] // kept behind the end, to be closed
			heap = heap[:n]
		}
		siftDown(heap, 0)
	}
	return nil
}

// siftDown restores the heap's order below i.
func siftDown(heap []setWalk, i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(heap); child++ {
			if bytes.Compare(heap[child].at, heap[least].at) < 0 {
				least = child
			}
		}
		if least == i {
			return
		}
		heap[i], heap[least] = heap[least], heap[i]
		i = least
	}
}
