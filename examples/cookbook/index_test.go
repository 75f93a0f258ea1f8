package cookbook

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/codec"
)

type user struct {
	ID    uint64
	Email string // nobody else has it
	City  string
}

// users are users with two indexes. They are good for one transaction.
type users struct {
	rows    codec.Map[uint64, user]
	byEmail codec.Map[string, uint64]             // email → id: one user for each
	byCity  codec.Set[codec.Pair[string, uint64]] // city, id: many users, in order
	cityKey codec.PairKey[string, uint64]
}

func usersIn(tx *siltstone.Tx) users {
	key := codec.Tuple2(codec.String, codec.Uint64)
	return users{
		rows:    codec.MapOf(tx.Hash("users"), codec.Uint64, codec.JSON[user]()),
		byEmail: codec.MapOf(tx.Hash("users by email"), codec.String, codec.AsValue(codec.Uint64)),
		byCity:  codec.SetOf(tx.Set("users by city"), key),
		cityKey: key,
	}
}

var errTaken = errors.New("another user has that email")

// put writes a user, new or changed, and what the indexes say of it.
func (s users) put(u user) error {
	if err := s.remove(u.ID); err != nil && !errors.Is(err, siltstone.ErrNotFound) {
		return err
	}
	if fresh, err := s.byEmail.SetNX(u.Email, u.ID); err != nil {
		return err
	} else if !fresh {
		return errTaken // and the transaction is rolled back
	}
	if _, err := s.byCity.Add(codec.NewPair(u.City, u.ID)); err != nil {
		return err
	}
	_, err := s.rows.Set(u.ID, u)
	return err
}

// remove reads the user first: what the indexes say of it follows from what it was.
func (s users) remove(id uint64) error {
	old, err := s.rows.Get(id)
	if err != nil {
		return err
	}
	if _, err := s.byEmail.Remove(old.Email); err != nil {
		return err
	}
	if _, err := s.byCity.Remove(codec.NewPair(old.City, id)); err != nil {
		return err
	}
	_, err = s.rows.Remove(id)
	return err
}

// withEmail returns the one user who has the email, or ErrNotFound.
func (s users) withEmail(email string) (user, error) {
	id, err := s.byEmail.Get(email)
	if err != nil {
		return user{}, err
	}
	return s.rows.Get(id)
}

// inCity yields the users of a city by their ids.
func (s users) inCity(city string) iter.Seq2[user, error] {
	return func(yield func(user, error) bool) {
		for p, err := range s.byCity.Prefix(s.cityKey.Prefix(city)) {
			var u user
			if err == nil {
				u, err = s.rows.Get(p.Second)
			}
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

func Example_indexes() {
	db, ctx := open(), context.Background()
	defer db.Close()
	put := func(u user) error {
		return db.Update(ctx, func(tx *siltstone.Tx) error { return usersIn(tx).put(u) })
	}
	check(put(user{1, "ada@example.org", "London"}))
	check(put(user{2, "carl@example.org", "Göttingen"}))
	check(put(user{3, "emmy@example.org", "Göttingen"}))
	fmt.Println(put(user{4, "ada@example.org", "Turin"}))
	check(put(user{2, "gauss@example.org", "Brunswick"})) // moves in both indexes

	check(db.View(ctx, func(tx *siltstone.Tx) error {
		u, err := usersIn(tx).withEmail("gauss@example.org")
		fmt.Println(u, err)
		for u, err := range usersIn(tx).inCity("Göttingen") {
			if err != nil {
				return err
			}
			fmt.Println(u.Email)
		}
		return nil
	}))
	// Output:
	// another user has that email
	// {2 gauss@example.org Brunswick} <nil>
	// emmy@example.org
}
