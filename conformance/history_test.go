package conformance

import (
	goflag "flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
)

var (
	long     = goflag.Bool("long", false, "compare for minutes instead of seconds")
	seedFlag = goflag.Uint64("seed", 0, "run the history of this seed only")
)

// judged is a store with the judge beside it.
type judged struct {
	t     testing.TB
	g     *gen
	fs    *vfs.Mem
	db    *siltstone.DB
	redis *redis.Client

	log      []string // the last exchanges
	compared int      // answers
	refused  int      // of them, by both
}

func newJudged(t testing.TB, client *redis.Client, seed uint64) *judged {
	if err := client.FlushAll(bg).Err(); err != nil {
		t.Fatal(err)
	}
	j := &judged{t: t, g: &gen{Rand: rand.New(rand.NewPCG(seed, 0xd15))}, fs: vfs.NewMem(), redis: client}
	j.open()
	t.Cleanup(func() {
		if err := j.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func (j *judged) open() {
	j.t.Helper()
	db, err := siltstone.Open("db", &siltstone.Options{FS: j.fs, Durability: siltstone.BufferedDurability, MemtableBytes: 64 << 10, MemoryLimit: 8 << 20})
	if err != nil {
		j.t.Fatal(err)
	}
	j.db = db
}

func (j *judged) reopen() {
	j.t.Helper()
	if err := j.db.Close(); err != nil {
		j.t.Fatal(err)
	}
	j.open()
}

// ask sends the exchanges to Redis and compares; in a transaction of its own if
// there are to be one.
func (j *judged) ask(all []exchange, transaction bool) error {
	if len(all) == 0 {
		return nil
	}
	pipe := j.redis.Pipeline()
	if transaction {
		pipe = j.redis.TxPipeline()
	}
	replies := make([]*redis.Cmd, len(all))
	for i, e := range all {
		replies[i] = pipe.Do(bg, e.args...)
	}
	if _, err := pipe.Exec(bg); err != nil && !isReply(err) {
		return err
	}
	for i, e := range all {
		norm := e.norm
		if norm == nil {
			norm = reply
		}
		v, err := replies[i].Result()
		got := norm(v, err)
		j.note("%.120q → %.200s", e.args, e.want)
		j.compared++
		if strings.HasPrefix(got, "!") {
			j.refused++
		}
		if !sameAnswer(e.want, got) {
			return fmt.Errorf("%.200q: siltstone answers %s, redis %s (%v)", e.args, e.want, got, err)
		}
	}
	return nil
}

// isReply reports whether err is an answer of the server's.
func isReply(err error) bool {
	_, ok := err.(redis.Error)
	return ok
}

// sameAnswer compares answers. Redis calls a number that is none by what it was
// meant for.
func sameAnswer(siltstone, redis string) bool {
	return siltstone == redis || siltstone == "!NAN" && redis == "!NUMBER"
}

func (j *judged) note(format string, a ...any) {
	if j.log = append(j.log, fmt.Sprintf(format, a...)); len(j.log) > 30 {
		j.log = j.log[1:]
	}
}

// step makes one call, or a transaction of some.
func (j *judged) step() error {
	n := 1
	if j.g.IntN(5) == 0 {
		n = 2 + j.g.IntN(8)
	}
	if n == 1 {
		return j.ask(j.g.any(j.db), false)
	}
	var all []exchange
	err := j.db.Update(bg, func(tx *siltstone.Tx) error {
		all = nil
		for range n {
			all = append(all, j.g.any(tx)...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	j.note("a transaction of %d:", len(all))
	return j.ask(all, true)
}

// everything compares all that the two hold.
func (j *judged) everything() error {
	var all []exchange
	for k, err := range j.db.Keys().All(typedKeys) {
		if err != nil {
			return err
		}
		all = append(all, whole(j.db, k.Name())...)
	}
	all = append(all, exchange{args("KEYS", "*"), count(j.db.Keys().Count()), many})
	return j.ask(all, false)
}

// run makes a history.
func (j *judged) run(seed uint64, steps int) {
	j.t.Helper()
	for step := range steps {
		err := j.step()
		if err == nil && step%100 == 99 {
			err = j.everything()
		}
		if err != nil {
			j.t.Fatalf("seed %d, step %d: %v\nthe last exchanges:\n  %s", seed, step, err, strings.Join(j.log, "\n  "))
		}
		if step%2000 == 1999 {
			j.reopen()
		}
	}
}

var _ typedtest.API = (*siltstone.DB)(nil)

func TestHistoriesAnswerLikeRedis(t *testing.T) {
	client := startRedis(t)
	budget := 8 * time.Second
	if *long {
		budget = 5 * time.Minute
	}
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	begin := time.Now()
	histories, compared, refused := 0, 0, 0
	for first := true; first || time.Since(begin) < budget && *seedFlag == 0; first = false {
		j := newJudged(t, client, seed)
		j.run(seed, 3000)
		histories++
		compared, refused = compared+j.compared, refused+j.refused
		seed++
	}
	t.Logf("%d histories, %d answers compared, %d of them refusals, no difference", histories, compared, refused)
}
