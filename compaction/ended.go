package compaction

import "bytes"

// ended are keys whose records leave the store because their time has come, and of which
// that is to be told first. They are told in groups, while the merge runs: what was told
// of a merge that is not installed is true all the same.
type ended struct {
	keys  [][]byte
	bytes int
}

// A group is told once it has so many keys, or bytes.
const (
	endedKeys  = 256
	endedBytes = 64 << 10
)

// end decides over a record that has expired: f is what becomes of it, and overwritten
// says that something newer of its key has been met.
func (m *merge) end(key []byte, f fate, overwritten bool) (fate, error) {
	switch {
	case m.job.KeepEnded:
		return kept, nil
	case m.env.Ended == nil || overwritten:
		return f, nil
	}
	m.gone.keys = append(m.gone.keys, bytes.Clone(key))
	if m.gone.bytes += len(key); len(m.gone.keys) < endedKeys && m.gone.bytes < endedBytes {
		return f, nil
	}
	return f, m.tellEnded()
}

// tellEnded tells of the keys that were gathered.
func (m *merge) tellEnded() error {
	if len(m.gone.keys) == 0 {
		return nil
	}
	err := m.env.Ended(m.gone.keys)
	m.gone = ended{keys: m.gone.keys[:0]}
	return err
}
