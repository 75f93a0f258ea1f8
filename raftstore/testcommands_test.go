package raftstore

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
)

// Commands of the tests.
type (
	setArg  struct{ Key, Value string }
	casArg  struct{ Key, Old, New string }
	tagArg  struct{ Key, Tag string }
	roamArg struct{ N int }
)

var (
	testCommands Commands

	setCommand = Register(&testCommands, "set", func(tx *siltstone.Tx, a setArg) (string, error) {
		in, err := In(tx, "registers")
		if err != nil {
			return "", err
		}
		return "", in.Put([]byte(a.Key), []byte(a.Value))
	})
	casCommand = Register(&testCommands, "cas", func(tx *siltstone.Tx, a casArg) (bool, error) {
		in, err := In(tx, "registers")
		if err != nil {
			return false, err
		}
		v, err := in.Get([]byte(a.Key))
		if err != nil && !errors.Is(err, siltstone.ErrNotFound) {
			return false, err
		}
		if string(v) != a.Old {
			return false, nil
		}
		return true, in.Put([]byte(a.Key), []byte(a.New))
	})
	// tag appends to a list, so that what was lost or done twice is seen.
	tagCommand = Register(&testCommands, "tag", func(tx *siltstone.Tx, a tagArg) (int64, error) {
		return tx.List(a.Key).PushBack([]byte(a.Tag))
	})
	// roam does what depends on time and chance.
	roamCommand = Register(&testCommands, "roam", func(tx *siltstone.Tx, a roamArg) ([]string, error) {
		set := tx.Set("roam")
		if _, err := set.Add(fmt.Sprint(a.N), fmt.Sprint(a.N*7)); err != nil {
			return nil, err
		}
		if _, err := set.AddTTL(time.Duration(1+a.N%50)*time.Millisecond, fmt.Sprint("soon ", a.N)); err != nil {
			return nil, err
		}
		got, err := set.Random(2)
		if err != nil {
			return nil, err
		}
		if n, err := set.Len(); err != nil {
			return nil, err
		} else if n > 120 {
			popped, err := set.Pop(20)
			if err != nil {
				return nil, err
			}
			got = append(got, popped...)
		}
		if err := tx.PutTTL(fmt.Appendf(nil, "ttl %d", a.N%100), []byte(fmt.Sprint(got)), time.Duration(1+a.N%300)*time.Millisecond); err != nil {
			return nil, err
		}
		if _, err := tx.Hash("drawn").Set(fmt.Sprint(a.N%50), []byte(fmt.Sprint(got, tx.Now().UnixNano()))); err != nil {
			return nil, err
		}
		if a.N%10 == 9 {
			return nil, fmt.Errorf("refused: %v", got) // and all of it is dropped
		}
		_, err = tx.ZSet("scores").Add(fmt.Sprint(a.N%200), float64(a.N))
		return got, err
	})
	// bulk returns more than a command may.
	bulkCommand = Register(&testCommands, "bulk", func(tx *siltstone.Tx, a int) (string, error) {
		return strings.Repeat("x", a), tx.Put([]byte("bulk"), nil)
	})
	_ = Register(&testCommands, "panics", func(tx *siltstone.Tx, a string) (string, error) {
		if err := tx.Put([]byte("panic"), nil); err != nil {
			return "", err
		}
		panic("at the disco of " + a)
	})
)
