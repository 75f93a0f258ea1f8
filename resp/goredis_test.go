package resp

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestTheClientOfGo uses the server through go-redis, in both versions of the protocol.
func TestTheClientOfGo(t *testing.T) {
	for _, proto := range []int{2, 3} {
		_, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true, Users: []User{{"app", "secret", false}}})
		c := redis.NewClient(&redis.Options{Addr: addr, Protocol: proto, Username: "app", Password: "secret", DB: 2, ClientName: "test", MaxRetries: -1})
		g := goRedis{t, c, context.Background()}
		g.values()
		g.collections()
		g.walks()
		g.transactions()
		g.messages()
		g.waits()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

type goRedis struct {
	t   *testing.T
	c   *redis.Client
	ctx context.Context
}

// returns compares what a call returned.
func returns[T any](g goRedis, want T) func(T, error) {
	return func(got T, err error) {
		g.t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			g.t.Errorf("%#v, %v, want %#v", got, err, want)
		}
	}
}

func (g goRedis) values() {
	c, ctx := g.c, g.ctx
	returns(g, "OK")(c.Set(ctx, "a", "1", time.Minute).Result())
	returns(g, "1")(c.Get(ctx, "a").Result())
	returns(g, time.Minute)(c.TTL(ctx, "a").Result())
	returns(g, int64(42))(c.IncrBy(ctx, "a", 41).Result())
	returns(g, 42.5)(c.IncrByFloat(ctx, "a", 0.5).Result())
	returns(g, false)(c.SetNX(ctx, "a", "2", 0).Result())
	returns(g, []any{"42.5", nil})(c.MGet(ctx, "a", "none").Result())
	returns(g, int64(1))(c.Del(ctx, "a", "none").Result())
	returns(g, "none")(c.Type(ctx, "a").Result())
	if err := c.Get(ctx, "a").Err(); !errors.Is(err, redis.Nil) {
		g.t.Error(err)
	}
	if at, err := c.Time(ctx).Result(); err != nil || time.Since(at).Abs() > time.Minute {
		g.t.Error(at, err)
	}
	if _, err := c.Info(ctx).Result(); err != nil {
		g.t.Error(err)
	}
	if _, err := c.Command(ctx).Result(); err != nil {
		g.t.Error(err)
	}
	returns(g, "test")(c.ClientGetName(ctx).Result())
}

func (g goRedis) collections() {
	c, ctx := g.c, g.ctx
	returns(g, int64(2))(c.HSet(ctx, "h", "f", "1", "g", "2").Result())
	returns(g, map[string]string{"f": "1", "g": "2"})(c.HGetAll(ctx, "h").Result())
	returns(g, []int64{1, -2})(c.HExpire(ctx, "h", time.Hour, "f", "none").Result())
	returns(g, []int64{3600, -1})(c.HTTL(ctx, "h", "f", "g").Result())
	returns(g, int64(2))(c.SAdd(ctx, "s", "x", "y").Result())
	returns(g, []string{"x", "y"})(c.SMembers(ctx, "s").Result())
	returns(g, int64(3))(c.ZAdd(ctx, "z", redis.Z{Score: 1.5, Member: "a"}, redis.Z{Score: 2, Member: "b"}, redis.Z{Score: 3, Member: "c"}).Result())
	returns(g, []redis.Z{{Score: 1.5, Member: "a"}, {Score: 2, Member: "b"}})(c.ZRangeWithScores(ctx, "z", 0, 1).Result())
	returns(g, []string{"b", "c"})(c.ZRangeArgs(ctx, redis.ZRangeArgs{Key: "z", Start: "(1.5", Stop: "+inf", ByScore: true}).Result())
	returns(g, 1.5)(c.ZScore(ctx, "z", "a").Result())
	returns(g, []redis.Z{{Score: 3, Member: "c"}})(c.ZPopMax(ctx, "z").Result())
	returns(g, redis.RankScore{Rank: 1, Score: 2})(c.ZRankWithScore(ctx, "z", "b").Result())
	returns(g, int64(3))(c.RPush(ctx, "l", "1", "2", "3").Result())
	returns(g, []string{"1", "2"})(c.LRange(ctx, "l", 0, 1).Result())
	returns(g, "1")(c.LMove(ctx, "l", "m", "left", "right").Result())
	payload, err := c.Dump(ctx, "z").Result()
	if err != nil {
		g.t.Error(err)
	}
	returns(g, "OK")(c.Restore(ctx, "zz", time.Hour, payload).Result())
	returns(g, []redis.Z{{Score: 1.5, Member: "a"}, {Score: 2, Member: "b"}})(c.ZRangeWithScores(ctx, "zz", 0, -1).Result())
}

func (g goRedis) walks() {
	seen := map[string]bool{}
	keys := g.c.Scan(g.ctx, 0, "", 2).Iterator()
	for keys.Next(g.ctx) {
		seen[keys.Val()] = true
	}
	if err := keys.Err(); err != nil || len(seen) != 6 {
		g.t.Error(seen, err)
	}
	n := 0
	for fields := g.c.HScan(g.ctx, "h", 0, "", 1).Iterator(); fields.Next(g.ctx); {
		n++
	}
	if n != 4 {
		g.t.Errorf("%d names and values", n)
	}
}

func (g goRedis) transactions() {
	c, ctx := g.c, g.ctx
	err := c.Watch(ctx, func(tx *redis.Tx) error {
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "w", "1", 0)
			p.Incr(ctx, "w")
			return nil
		})
		return err
	}, "w")
	if err != nil {
		g.t.Error(err)
	}
	returns(g, "2")(c.Get(ctx, "w").Result())
	err = c.Watch(ctx, func(tx *redis.Tx) error {
		c.Set(ctx, "w", "by another", 0)
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "w", "3", 0).Err() })
		return err
	}, "w")
	if !errors.Is(err, redis.TxFailedErr) {
		g.t.Error(err)
	}
	results, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for range 100 {
			p.Incr(ctx, "counter")
		}
		return nil
	})
	if err != nil || len(results) != 100 || results[99].(*redis.IntCmd).Val() != 100 {
		g.t.Error(len(results), err)
	}
}

func (g goRedis) messages() {
	sub := g.c.Subscribe(g.ctx, "news")
	defer sub.Close()
	if _, err := sub.Receive(g.ctx); err != nil {
		g.t.Fatal(err)
	}
	returns(g, int64(1))(g.c.Publish(g.ctx, "news", "hello").Result())
	m, err := sub.ReceiveMessage(g.ctx)
	if err != nil || m.Payload != "hello" {
		g.t.Error(m, err)
	}
}

func (g goRedis) waits() {
	got := make(chan []string, 1)
	go func() {
		v, err := g.c.BLPop(g.ctx, 0, "queue").Result()
		if err != nil {
			g.t.Error(err)
		}
		got <- v
	}()
	returns(g, int64(1))(g.c.RPush(g.ctx, "queue", "job").Result())
	if v := <-got; !reflect.DeepEqual(v, []string{"queue", "job"}) {
		g.t.Error(v)
	}
	if err := g.c.BLPop(g.ctx, 10*time.Millisecond, "queue").Err(); err != nil && !errors.Is(err, redis.Nil) {
		g.t.Error(err)
	}
}

// TestManyClientsContend: transactions with WATCH lose no update, and each element of a queue
// that is waited for comes to one client, while messages go about.
func TestManyClientsContend(t *testing.T) {
	const clients, rounds = 8, 25
	_, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
	ctx := context.Background()
	var all sync.WaitGroup
	var popped sync.Map
	for n := range clients {
		c := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2 + n%2, MaxRetries: -1, ReadTimeout: time.Minute})
		t.Cleanup(func() { _ = c.Close() })
		heard := c.Subscribe(ctx, "news")
		t.Cleanup(func() { _ = heard.Close() })
		all.Go(func() {
			for i := range rounds {
				err := error(redis.TxFailedErr)
				for errors.Is(err, redis.TxFailedErr) {
					err = c.Watch(ctx, func(tx *redis.Tx) error {
						v, err := tx.Get(ctx, "counter").Int()
						if err != nil && !errors.Is(err, redis.Nil) {
							return err
						}
						_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
							p.Set(ctx, "counter", v+1, 0)
							p.LPush(ctx, "queue", fmt.Sprint(n, "/", i))
							p.Publish(ctx, "news", v)
							return nil
						})
						return err
					}, "counter")
				}
				got, perr := c.BRPop(ctx, time.Minute, "queue").Result()
				if err != nil || perr != nil {
					t.Error(err, perr)
					return
				}
				if _, twice := popped.LoadOrStore(got[1], true); twice {
					t.Errorf("%s was popped twice", got[1])
				}
			}
		})
	}
	all.Wait()
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	if v, err := c.Get(ctx, "counter").Int(); v != clients*rounds || err != nil {
		t.Errorf("the counter is %d, %v, want %d", v, err, clients*rounds)
	}
	if n := c.LLen(ctx, "queue").Val(); n != 0 {
		t.Errorf("%d elements are left", n)
	}
}
