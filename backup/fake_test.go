package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// fakeStore is a store in memory whose calls fail at random, in the ways in which those of
// a distant one do. It keeps the promises of Store.
type fakeStore struct {
	mu      sync.Mutex
	objects map[string][]byte
	rng     *rand.Rand
	rate    float64 // of calls that fail
	puts    []string
	onPut   func(name string) // called first
}

func newFake(seed uint64) *fakeStore {
	return &fakeStore{objects: map[string][]byte{}, rng: rand.New(rand.NewPCG(seed, seed))}
}

var errTimeout = errors.New("timeout")

// fails reports whether a call fails, and, if so, whether it is done all the same.
func (f *fakeStore) fails() (fails, done bool) {
	return f.rng.Float64() < f.rate, f.rng.IntN(2) == 0
}

func (f *fakeStore) List(ctx context.Context, prefix string) (all []Object, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fails, _ := f.fails(); fails {
		return nil, errTimeout
	}
	for name, b := range f.objects {
		if strings.HasPrefix(name, prefix) {
			all = append(all, Object{name, int64(len(b))})
		}
	}
	f.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all, ctx.Err()
}

func (f *fakeStore) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fails, part := f.fails()
	if fails && !part {
		return nil, errTimeout
	}
	b, ok := f.objects[name]
	if !ok {
		return nil, &fs.PathError{Op: "get", Path: name, Err: fs.ErrNotExist}
	}
	if fails { // it breaks off
		return io.NopCloser(io.MultiReader(bytes.NewReader(b[:f.rng.IntN(len(b)+1)]), failingReader{})), nil
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errTimeout }

func (f *fakeStore) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	if f.onPut != nil {
		f.onPut(name)
	}
	b, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	f.puts = append(f.puts, name)
	fails, done := f.fails()
	switch {
	case fails && done: // the answer is lost
		f.objects[name] = b
	case fails && f.rng.IntN(2) == 0: // the upload is torn
		f.objects[name] = b[:f.rng.IntN(len(b)+1)]
	case !fails:
		f.objects[name] = b
	}
	if fails {
		return errTimeout
	}
	return nil
}

func (f *fakeStore) Delete(ctx context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fails, done := f.fails()
	if !fails || done {
		delete(f.objects, name)
	}
	if fails {
		return errTimeout
	}
	return ctx.Err()
}

// again is a store that delivers each Put twice.
type again struct{ Store }

func (a again) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	if err := a.Store.Put(ctx, name, content); err != nil {
		return err
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return a.Store.Put(ctx, name, content)
}

// opened is a repository on s that does not wait before it tries again.
func opened(s Store, clock *wall) *Repository {
	r, err := Open(s, &Options{Grace: 10 * time.Hour, Now: clock.now})
	if err != nil {
		panic(err)
	}
	r.store.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return r
}
