package resp

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/siltstonedb/siltstone"
)

// Options are the settings of a Server. The zero value, and nil, serve for reading.
type Options struct {
	// Writable lets clients write. Without it every command that writes is refused.
	Writable bool
	// SoleWriter says that all writes to the store go through this server while it
	// serves. WATCH then costs the same for any key. Without it WATCH and EXEC read what
	// the watched keys hold, so that they notice what others write.
	SoleWriter bool
	// Durability is the level that the reply to a write waits for, if it is a stronger
	// one than that of the store. The server waits once for all commands of a pipeline
	// that have run: so open the store with BufferedDurability and choose the level here.
	// Zero: each commit waits by itself, as Options.Durability of the store says.
	Durability siltstone.Durability
	// Users may log in with AUTH or HELLO. Without any, whoever connects may do all that
	// the server does: then listen on loopback only.
	Users []User
	// Databases bounds the numbers that SELECT takes for a keyspace that is made when it
	// is first selected. Zero is 16.
	Databases int

	// MaxClients bounds the connections. Zero is 10,000.
	MaxClients int
	// MaxCommandBytes bounds one command, with all its arguments, and one reply. Zero is
	// 64 MiB.
	MaxCommandBytes int
	// MaxBufferBytes bounds what all connections together hold of commands and replies,
	// beyond 64 KiB for each. Zero is 256 MiB.
	MaxBufferBytes int64
	// IdleTimeout ends a connection that sends nothing, unless it waits in a blocking
	// command or has subscribed. Zero is 10 minutes; negative: never.
	IdleTimeout time.Duration
	// WriteTimeout ends a connection that does not take its replies. Zero is 30 seconds.
	WriteTimeout time.Duration

	// Debug admits the command DEBUG, which test suites need.
	Debug bool
	// Logger receives what goes wrong with a connection. Nil is silence.
	Logger *slog.Logger
}

// User is somebody who may log in.
type User struct {
	Name     string // "default" is the user of an AUTH with a password alone
	Password string
	ReadOnly bool
}

// login is a user as the server keeps it.
type login struct {
	name     string
	digest   [sha256.Size]byte
	readOnly bool
}

const defaultUser = "default"

func (o *Options) fill() error {
	defaults := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	defaults(&o.Databases, 16)
	defaults(&o.MaxClients, 10_000)
	defaults(&o.MaxCommandBytes, 64<<20)
	if o.MaxBufferBytes == 0 {
		o.MaxBufferBytes = 256 << 20
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 10 * time.Minute
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Databases < 1, o.MaxClients < 1, o.MaxCommandBytes < 1<<10, o.MaxBufferBytes < 0, o.WriteTimeout < 0:
		return errors.New("resp: an option is negative, or below its least value")
	case o.Durability > siltstone.BufferedDurability:
		return fmt.Errorf("resp: there is no durability %d", o.Durability)
	}
	return nil
}

// logins returns the users as they are kept: their passwords as digests.
func (o *Options) logins() (map[string]login, error) {
	all := map[string]login{}
	for _, u := range o.Users {
		if u.Name == "" || u.Password == "" {
			return nil, errors.New("resp: a user without a name or a password")
		}
		if _, twice := all[u.Name]; twice {
			return nil, fmt.Errorf("resp: the user %q is there twice", u.Name)
		}
		all[u.Name] = login{u.Name, sha256.Sum256([]byte(u.Password)), u.ReadOnly}
	}
	return all, nil
}

// logIn returns the user with that name and password. It takes the same time for every
// wrong password, and for a name that nobody has.
func (s *Server) logIn(name, password string) (login, bool) {
	digest := sha256.Sum256([]byte(password))
	l := s.logins[name]
	same := subtle.ConstantTimeCompare(digest[:], l.digest[:]) == 1
	return l, same && l.name != ""
}
