package rdb

import "fmt"

// skipModule reads what belongs to a module, a value or data beside the keys, and keeps
// nothing of it: the module, and parts that each begin with what they are.
func (d *file) skipModule() error {
	s := skipper{d: d}
	s.counts(1)
	for s.err == nil {
		switch part := s.count(); part {
		case 0: // the end
			return s.err
		case 1, 2: // numbers
			s.counts(1)
		case 3: // a float
			s.bytes(4)
		case 4: // a double
			s.bytes(8)
		case 5:
			s.texts(1)
		default:
			return fmt.Errorf("data of a module has a part %d, which is unknown", part)
		}
	}
	return s.err
}

// skipStream reads a stream and keeps nothing of it: nodes, ids, and groups with their
// consumers and what these have not acknowledged.
func (d *file) skipStream(kind byte) error {
	s := skipper{d: d}
	for range s.count() {
		s.texts(2)
		if s.err != nil {
			return s.err
		}
	}
	s.counts(3)
	if kind >= typeStream2 {
		s.counts(5)
	}
	for range s.count() {
		s.texts(1)
		s.counts(2)
		if kind >= typeStream2 {
			s.counts(1)
		}
		for range s.count() {
			s.bytes(24)
			s.counts(1)
			if s.err != nil {
				return s.err
			}
		}
		for range s.count() {
			s.texts(1)
			s.bytes(8)
			if kind >= typeStream3 {
				s.bytes(8)
			}
			for range s.count() {
				if s.bytes(16); s.err != nil {
					return s.err
				}
			}
			if s.err != nil {
				return s.err
			}
		}
		if s.err != nil {
			return s.err
		}
	}
	return s.err
}

// skipper reads and keeps the first error; after one it reads nothing and counts 0.
type skipper struct {
	d   *file
	err error
}

func (s *skipper) count() (n uint64) {
	if s.err == nil {
		n, s.err = s.d.count()
	}
	if s.err != nil {
		return 0
	}
	return n
}

func (s *skipper) counts(n int) {
	for range n {
		s.count()
	}
}

func (s *skipper) bytes(n uint64) {
	if s.err == nil {
		_, s.err = s.d.full(n)
	}
}

func (s *skipper) texts(n int) {
	for range n {
		if s.err == nil {
			_, s.err = s.d.text()
		}
	}
}
