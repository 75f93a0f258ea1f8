package readstate

// Prepare returns a state with the parts that fill gives it. It is held, and not the
// current one yet: the caller calls Install, or Drop.
func (s *States) Prepare(fill func(rs *State)) *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	rs := s.newState()
	fill(rs)
	rs.retired.Store(true)
	rs.Holders.Store(1)
	s.addLocked(rs)
	return rs
}

// Install makes a prepared state the current one and ends the hold on it. The store is
// not being closed.
func (s *States) Install(rs *State) {
	s.mu.Lock()
	rs.retired.Store(false)
	old := s.replaceLocked(rs)
	s.mu.Unlock()
	s.retire(old)
	s.Drop(rs)
}

// Register registers a read point and holds a state that has all that the point can see;
// nil after Close. The caller releases the one and drops the other.
func (s *States) Register() (*Point, *State) {
	if s.Following {
		rs := s.Hold()
		if rs == nil {
			return nil, nil
		}
		return s.Points.registerAt(rs.LastSeq), rs
	}
	// Registered first, held second: no merge may have dropped any of it.
	p := s.Points.Register()
	rs := s.Hold()
	if rs == nil {
		s.Points.Release(p)
		return nil, nil
	}
	return p, rs
}

// PinHeld pins a state that is held, for a call, and returns what to unpin it with.
// The hold may end meanwhile, and then the caller looks whether it has, and unpins.
func (s *States) PinHeld(rs *State) int {
	return rs.Calls.pin(stripe())
}
