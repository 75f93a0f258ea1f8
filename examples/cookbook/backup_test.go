package cookbook

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"

	"github.com/siltstonedb/siltstone"
)

// backup writes the store as it is now to w, as a tar file, while others write to the store.
// dir is a directory on the same disk as the store, which must not exist: the copy in it is
// made by hard links, so that it takes little time and no space.
func backup(ctx context.Context, db *siltstone.DB, dir string, w io.Writer) (err error) {
	if err := db.Checkpoint(ctx, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t := tar.NewWriter(w)
	if err := t.AddFS(os.DirFS(dir)); err != nil {
		return err
	}
	return t.Close()
}

// restore makes a store in dir, which must not exist, of what backup wrote, and checks it.
func restore(ctx context.Context, r io.Reader, dir string) (err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || filepath.Base(h.Name) != h.Name {
			return fmt.Errorf("%q is no file of a store", h.Name)
		}
		if err := writeFile(filepath.Join(dir, h.Name), t); err != nil {
			return err
		}
	}
	db, err := siltstone.Open(dir, &siltstone.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Check(ctx)
}

func writeFile(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// upload sends a backup to a URL while it is made, without a file in between.
func upload(ctx context.Context, db *siltstone.DB, dir, url string) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(backup(ctx, db, dir, w)) }()
	defer r.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, url, r)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the backup was refused: %s", answer.Status)
	}
	return nil
}

func Example_backup() {
	dir, err := os.MkdirTemp("", "cookbook-")
	check(err)
	defer os.RemoveAll(dir)
	var b bucket
	storage := httptest.NewServer(&b)
	defer storage.Close()

	db, err := siltstone.Open(filepath.Join(dir, "store"), nil)
	check(err)
	check(db.Put([]byte("key"), []byte("value")))
	check(upload(context.Background(), db, filepath.Join(dir, "copy"), storage.URL+"/backups/2030-01-01.tar"))
	check(db.Close())

	check(restore(context.Background(), bytes.NewReader(b.get("/backups/2030-01-01.tar")), filepath.Join(dir, "restored")))
	db, err = siltstone.Open(filepath.Join(dir, "restored"), nil)
	check(err)
	v, err := db.Get([]byte("key"))
	fmt.Printf("%s %v\n", v, err)
	check(db.Close())
	// Output: value <nil>
}

// bucket is a storage for objects, in memory.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	object, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPut {
		http.Error(w, "not stored", http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.objects == nil {
		b.objects = map[string][]byte{}
	}
	b.objects[r.URL.Path] = object
}

func (b *bucket) get(name string) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.objects[name]
}
