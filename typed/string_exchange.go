package typed

import (
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// The calls that return a string and change what becomes of it.

// GetSet is Set and returns the value there was, which is yours: nil if there was
// none, and not nil if it was empty. ErrWrongType if the key holds another type.
// [GETSET, SET GET]
func (s String) GetSet(value []byte) (old []byte, err error) {
	r, err := s.SetWith(value, SetOptions{Get: true})
	return r.Old, err
}

// GetDel returns the value, which is yours, and drops the key; or ErrNotFound.
// [GETDEL]
func (s String) GetDel() ([]byte, error) {
	return collection.Update(s.src, s.name, func(t collection.Txn) ([]byte, error) {
		v, err := s.get(t, nil)
		if err != nil {
			return nil, err
		}
		return collection.Owned(v), t.Delete(s.row(t))
	})
}

// GetExpire returns the value, which is yours, and lets the key live for ttl from
// now, rounded up to a millisecond; NoTTL takes the time to live away. ErrNotFound
// if there is no value, ErrBadTTL if ttl is 0 or less. Cost: the value is written
// anew. Get leaves the time to live as it is. [GETEX PX PERSIST]
func (s String) GetExpire(ttl time.Duration) ([]byte, error) {
	if err := base.CheckTTL(ttl); err != nil {
		return nil, err
	}
	return collection.Update(s.src, s.name, func(t collection.Txn) ([]byte, error) {
		return s.getExpire(t, deadlineIn(t.Now(), ttl))
	})
}

// GetExpireAt is GetExpire with a deadline: a past one drops the key at once, the
// zero time takes the time to live away; ErrBadTTL beyond what a record can hold.
// [GETEX PXAT PERSIST]
func (s String) GetExpireAt(deadline time.Time) ([]byte, error) {
	at, err := deadlineAt(deadline)
	if err != nil {
		return nil, err
	}
	return collection.Update(s.src, s.name, func(t collection.Txn) ([]byte, error) { return s.getExpire(t, at) })
}

func (s String) getExpire(t collection.Txn, at int64) ([]byte, error) {
	v, trailer, err := s.load(t, nil)
	if err != nil {
		return nil, err
	}
	switch row := s.row(t); {
	case at == trailer.Expiry:
	case at != 0 && at <= t.Now():
		err = t.Delete(row)
	default:
		err = t.Put(row, record.TypeString, at, v)
	}
	return collection.Owned(v), err
}
