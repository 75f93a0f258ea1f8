package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	_ "gocloud.dev/blob/s3blob"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/backup"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/vfs"
)

var bg = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// unreliable makes requests to a server fail: before they are done, behind them, and with
// bodies that are cut.
type unreliable struct {
	server http.Handler
	mu     sync.Mutex
	rng    *rand.Rand
	rate   float64
	failed int
}

func (u *unreliable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	fails, how := u.rng.Float64() < u.rate, u.rng.IntN(4)
	if fails {
		u.failed++
	}
	u.mu.Unlock()
	switch {
	case !fails:
		u.server.ServeHTTP(w, r)
	case how == 0:
		http.Error(w, "slow down", http.StatusServiceUnavailable)
	case how == 1: // done, and the answer is lost
		u.server.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case how == 2 && r.Method == http.MethodGet: // the answer is cut
		rec := httptest.NewRecorder()
		u.server.ServeHTTP(rec, r)
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2]) // the client finds out
		panic(http.ErrAbortHandler)
	default:
		panic(http.ErrAbortHandler)
	}
}

// openS3 opens a bucket of an S3 server on loopback.
func openS3(t *testing.T, rate float64) (*blob.Bucket, *unreliable) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not a secret")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	backend := s3mem.New()
	must(t, backend.CreateBucket("bucket"))
	u := &unreliable{server: gofakes3.New(backend).Server(), rng: rand.New(rand.NewPCG(1, 1))}
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	b, err := blob.OpenBucket(bg, "s3://bucket?region=us-east-1&use_path_style=true&disable_https=true&endpoint="+url.QueryEscape(server.URL))
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	u.rate = rate
	return b, u
}

func TestABucketHoldsObjects(t *testing.T) {
	s3, _ := openS3(t, 0)
	mem := memblob.OpenBucket(nil)
	defer mem.Close()
	for name, b := range map[string]*blob.Bucket{"s3": s3, "mem": mem} {
		s := Bucket(b)
		for _, content := range []string{"one", "another"} {
			must(t, s.Put(bg, "x/y", strings.NewReader(content)))
			must(t, s.Put(bg, "z", strings.NewReader(content)))
			r, err := s.Get(bg, "x/y")
			must(t, err)
			got, err := io.ReadAll(r)
			must(t, errors.Join(err, r.Close()))
			if string(got) != content {
				t.Errorf("%s: %q, want %q", name, got, content)
			}
		}
		if all, err := s.List(bg, "x/"); err != nil || len(all) != 1 || all[0] != (backup.Object{Name: "x/y", Size: 7}) {
			t.Errorf("%s: %v, %v", name, all, err)
		}
		if _, err := s.Get(bg, "none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Put(bg, "cut", io.NewSectionReader(failing{}, 0, 100)); err == nil {
			t.Errorf("%s: content that cannot be read is put", name)
		}
		if _, err := s.Get(bg, "cut"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: content that could not be read: %v", name, err)
		}
		must(t, errors.Join(s.Delete(bg, "none"), s.Delete(bg, "x/y")))
		if all, err := s.List(bg, ""); err != nil || len(all) != 1 {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errors.New("failing") }

func TestBackupsInS3AreWholeThoughRequestsFail(t *testing.T) {
	b, u := openS3(t, 0.06)
	r, err := backup.Open(Bucket(b), nil)
	must(t, err)
	mem := vfs.NewMem()
	db, err := siltstone.Open("db", &siltstone.Options{FS: mem, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10})
	must(t, err)
	var values []string
	for n := range 6 {
		for i := range 50 {
			must(t, db.Put(fmt.Appendf(nil, "k%d-%d", n, i), bytes.Repeat([]byte{byte(i)}, 4000)))
		}
		must(t, db.Put([]byte("n"), fmt.Append(nil, n)))
		made, err := r.Run(bg, db, nil)
		must(t, err)
		values = append(values, made.Name)
	}
	must(t, db.Close())
	all, err := r.List(bg)
	must(t, err)
	for n, b := range all {
		if b.Name != values[n] {
			t.Fatalf("backup %d is %s, want %s", n, b.Name, values[n])
		}
		must(t, r.Restore(bg, b.Name, b.Name, &siltstone.Options{FS: mem}))
		again, err := siltstone.Open(b.Name, &siltstone.Options{FS: mem})
		must(t, err)
		v, err := again.Get([]byte("n"))
		if string(v) != fmt.Sprint(n) || err != nil {
			t.Errorf("backup %d: %q, %v", n, v, err)
		}
		must(t, errors.Join(again.Check(bg), again.Close()))
	}
	v, err := r.Verify(bg)
	must(t, err)
	p, err := r.Prune(bg, backup.Keep{Last: 2})
	must(t, err)
	if len(all) != 6 || v.Backups != 6 || p.Backups != 4 || u.failed == 0 {
		t.Errorf("%d listed, %+v, %+v, %d requests failed", len(all), v, p, u.failed)
	}
	t.Logf("%d backups, %d requests failed", len(all), u.failed)
}

func TestChangesInS3AreShippedRestoredAndFollowedThoughRequestsFail(t *testing.T) {
	b, u := openS3(t, 0.06)
	r, err := backup.Open(Bucket(b), nil)
	must(t, err)
	mem := vfs.NewMem()
	db, err := siltstone.Open("db", &siltstone.Options{FS: mem, KeepChanges: changes.Keep{Bytes: 1 << 30}})
	must(t, err)
	defer db.Close()
	_, err = r.Run(bg, db, nil)
	must(t, err)
	ctx, stop := context.WithCancel(bg)
	var shipping sync.WaitGroup
	shipped := make(chan struct{}, 64)
	shipping.Go(func() {
		for ctx.Err() == nil { // a call that has failed five times is made again
			_ = r.Ship(ctx, db, &backup.ShipOptions{Every: time.Millisecond, Shipped: func(backup.Shipped) {
				select {
				case shipped <- struct{}{}:
				default:
				}
			}})
		}
	})
	defer shipping.Wait()
	defer stop()
	var at []changes.Position
	for n := range 40 {
		must(t, db.Put([]byte("n"), fmt.Append(nil, n)))
		at = append(at, db.Position())
		if n%5 == 0 {
			<-shipped // so that there are several objects
		}
	}
	f, err := r.Follow(bg, "copy", &backup.FollowOptions{Options: &siltstone.Options{FS: mem}})
	must(t, err)
	defer f.Close()
	for f.DB().Position() != at[len(at)-1] {
		must(t, f.CatchUp(bg))
	}
	if v, err := f.DB().Get([]byte("n")); string(v) != "39" || err != nil {
		t.Errorf("the copy has %q, %v", v, err)
	}
	for n := 0; n < len(at); n += 13 {
		dir := fmt.Sprint("at", n)
		_, err := r.RestoreAt(bg, dir, backup.RestoreOptions{At: at[n], Options: &siltstone.Options{FS: mem}})
		must(t, err)
		again, err := siltstone.Open(dir, &siltstone.Options{FS: mem})
		must(t, err)
		if v, err := again.Get([]byte("n")); string(v) != fmt.Sprint(n) || err != nil {
			t.Errorf("at %d: %q, %v", n, v, err)
		}
		must(t, errors.Join(again.Check(bg), again.Close()))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.failed == 0 {
		t.Error("no request has failed")
	}
}
