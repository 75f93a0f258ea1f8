package main

import (
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/spf13/cobra"
)

func (t *tool) expireCommand() *cobra.Command {
	var write bool
	cmd := &cobra.Command{
		Use:     "expire DIR KEY TTL",
		GroupID: groupWrite,
		Short:   "Give a key a time to live, or take it away",
		Long: `Let a key of any type live for a time from now, durably: a duration such as 90s
or 24h, a moment such as 2030-01-31T12:00:00Z, or "never", which takes a time to
live away. If there is no such key the exit code is 3.`,
		Example: `  siltstone expire /var/lib/app/store session:9 30m --write
  siltstone expire /var/lib/app/store session:9 never --write`,
		Args: cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := mayWrite(write, "expire"); err != nil {
				return err
			}
			key, err := t.key(args[1])
			if err != nil {
				return err
			}
			set, err := parseExpiry(args[2])
			if err != nil {
				return err
			}
			return t.writeStore(args[0], func(s siltstone.ReadWriter) error { return t.onKey(set(s, key), key) })
		},
	}
	writeFlag(cmd, &write)
	return t.keyFlags(cmd)
}

// parseExpiry returns the call that the last argument of expire asks for.
func parseExpiry(text string) (func(siltstone.ReadWriter, []byte) error, error) {
	if text == "never" {
		return func(s siltstone.ReadWriter, key []byte) error { return s.Key(string(key)).ExpireAt(time.Time{}) }, nil
	}
	if ttl, err := time.ParseDuration(text); err == nil {
		if ttl <= 0 {
			return nil, usagef("%s: a time to live is above zero; del deletes a key", text)
		}
		return func(s siltstone.ReadWriter, key []byte) error { return s.Expire(key, ttl) }, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, usagef("%q is no duration such as 24h, no moment such as 2030-01-31T12:00:00Z, and not never", text)
	}
	if !at.After(time.Now()) {
		return nil, usagef("%s is over; del deletes a key", text)
	}
	return func(s siltstone.ReadWriter, key []byte) error { return s.Key(string(key)).ExpireAt(at) }, nil
}
