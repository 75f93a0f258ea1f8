package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

var bg = context.Background()

// startRedis starts a redis-server that keeps nothing, on a free loopback port,
// and stops it when the test ends.
func startRedis(t testing.TB) *redis.Client {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("there is no redis-server here to compare with: apt-get install redis-server")
	}
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(probe.Addr().(*net.TCPAddr).Port)
	probe.Close()
	server := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", t.TempDir(), "--databases", "1", "--daemonize", "no")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, Protocol: 2, MaxRetries: -1, PoolSize: 2})
	t.Cleanup(func() {
		client.Close()
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if err = client.Ping(bg).Err(); err == nil {
			break
		}
		<-tick.C
	}
	if err != nil {
		t.Fatalf("redis-server does not answer: %v", err)
	}
	info := client.Info(bg, "server").Val()
	if !strings.Contains(info, "redis_version:7.0.") {
		t.Skipf("this is not redis-server 7.0: %.60q", info)
	}
	return client
}

// An answer is what a call returned, as text: (nil) for what is not there, 7,
// "bytes", [a list], or !CLASS for an error.

// reply renders what Redis answered.
func reply(v any, err error) string {
	switch {
	case errors.Is(err, redis.Nil):
		return "(nil)"
	case err != nil:
		return "!" + classOfReply(err)
	}
	switch v := v.(type) {
	case nil:
		return "(nil)"
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		return strconv.Quote(v)
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, reply(e, nil))
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return fmt.Sprintf("?%T %v", v, v)
}

// classes of errors: what a message of Redis contains, in this order.
var classes = []struct{ part, class string }{
	{"WRONGTYPE", "WRONGTYPE"},
	{"must contain string values", "WRONGTYPE"},
	{"exceeds maximum allowed size", "TOOLARGE"},
	{"transient memory for LCS", "TOOLARGE"},
	{"no such key", "NOTFOUND"},
	{"would overflow", "OVERFLOW"},
	{"NaN or Infinity", "NAN"},
	{"resulting score is not a number", "NAN"},
	{"min or max is not a float", "NAN"},
	{"bit offset", "RANGE"},
	{"not an integer", "NUMBER"},
	{"is not a float", "NUMBER"},
	{"not a valid float", "NUMBER"},
	{"must be positive", "SYNTAX"}, // of a count
	{"out of range", "RANGE"},
	{"syntax error", "SYNTAX"},
	{"not compatible", "SYNTAX"},
	{"at the same time", "SYNTAX"},
	{"must be called with a single", "SYNTAX"},
	{"objects are the same", "SYNTAX"},
	{"invalid expire", "TTL"},
}

func classOfReply(err error) string {
	for _, c := range classes {
		if strings.Contains(err.Error(), c.part) {
			return c.class
		}
	}
	return err.Error()
}

// Normal forms, for replies in which Redis leaves something open or uses another
// word for the same.

// sorted is for replies whose order says nothing.
func sorted(v any, err error) string {
	list, ok := v.([]any)
	if !ok {
		return reply(v, err)
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return reply(list, err)
}

// pairs is for HGETALL: a list of field, value, sorted by field.
func pairs(v any, err error) string {
	list, ok := v.([]any)
	if !ok {
		return reply(v, err)
	}
	var all [][2]string
	for i := 0; i < len(list); i += 2 {
		all = append(all, [2]string{list[i].(string), list[i+1].(string)})
	}
	slices.SortFunc(all, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	var parts []string
	for _, p := range all {
		parts = append(parts, strconv.Quote(p[0]), strconv.Quote(p[1]))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// scores is for replies of member, score, member, score.
func scores(v any, err error) string {
	list, ok := v.([]any)
	if !ok {
		return reply(v, err)
	}
	var parts []string
	for i := 0; i < len(list); i += 2 {
		parts = append(parts, strconv.Quote(list[i].(string)), float(list[i+1], nil))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// float is for numbers that Redis writes as text.
func float(v any, err error) string {
	s, ok := v.(string)
	if !ok {
		return reply(v, err)
	}
	f, perr := strconv.ParseFloat(s, 64)
	if perr != nil {
		return reply(v, err)
	}
	return number(f)
}

// number writes a float64 in one way; −0 is 0.
func number(f float64) string { return strconv.FormatFloat(f+0, 'g', -1, 64) }

// many takes nil for an empty list, and counts elements only.
func many(v any, err error) string {
	list, ok := v.([]any)
	if err == nil && !ok || errors.Is(err, redis.Nil) {
		list, err = nil, nil
	}
	if err != nil {
		return reply(v, err)
	}
	return strconv.Itoa(len(list))
}

// listOrNil takes nil for an empty list.
func listOrNil(v any, err error) string {
	if errors.Is(err, redis.Nil) || err == nil && v == nil {
		return "[]"
	}
	return reply(v, err)
}
