package typed_test

import (
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// One field of a session lives shorter than the rest.
func ExampleHash_SetTTL() {
	db := open()
	defer db.Close()

	session := db.Hash("session:7")
	_, err := session.Set("user", []byte("ada"))
	check(err)
	_, err = session.SetTTL("code", []byte("4711"), 5*time.Minute)
	check(err)
	ttl, err := session.FieldTTL("code")
	fmt.Println(ttl > 4*time.Minute, err)
	ttl, err = session.FieldTTL("user")
	fmt.Println(ttl == typed.NoTTL, err)

	// A deadline in the past removes the field.
	fmt.Println(session.ExpireFieldsAt(time.Now().Add(-time.Second), typed.CondXX, "code", "user"))
	fmt.Println(session.Has("code"))
	fmt.Println(session.Len())
	// Output:
	// true <nil>
	// true <nil>
	// 1 <nil>
	// false <nil>
	// 1 <nil>
}

// Each address is blocked for a time of its own.
func ExampleSet_AddTTL() {
	db := open()
	defer db.Close()

	blocked := db.Set("blocked")
	_, err := blocked.AddTTL(time.Hour, "192.0.2.1", "192.0.2.2")
	check(err)
	_, err = blocked.AddTTL(24*time.Hour, "192.0.2.2") // again: longer
	check(err)
	fmt.Println(blocked.HasMany("192.0.2.1", "192.0.2.3"))
	ttl, err := blocked.MemberTTL("192.0.2.2")
	fmt.Println(ttl > 23*time.Hour, err)
	fmt.Println(blocked.PersistMembers("192.0.2.1", "192.0.2.3"))
	// Output:
	// [true false] <nil>
	// true <nil>
	// 1 <nil>
}

// A walk that is broken off goes on behind the last name it met.
func ExampleHash_After() {
	db := open()
	defer db.Close()

	h := db.Hash("h")
	_, err := h.SetMany(typed.Field{Name: "a"}, typed.Field{Name: "b"}, typed.Field{Name: "c"})
	check(err)
	last := ""
	for field, err := range h.All() {
		check(err)
		last = field.Name
		break
	}
	for field, err := range h.After(last) {
		check(err)
		fmt.Println(field.Name)
	}
	// Output:
	// b
	// c
}
