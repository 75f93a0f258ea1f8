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

// writeTar writes the store as it is now to w, as a tar file, while others write to the store.
// dir is a directory on the same disk as the store, which must not exist: the copy in it is
// made by hard links, so that it takes little time and no space.
func writeTar(ctx context.Context, db *siltstone.DB, dir string, w io.Writer) (err error) {
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

// readTar makes a store in dir, which must not exist, of what writeTar wrote, and checks it.
func readTar(ctx context.Context, r io.Reader, dir string) (err error) {
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

// upload sends a backup of the store to a URL while it is made, without a file in between.
func upload(ctx context.Context, db *siltstone.DB, url string) error {
	r, w := io.Pipe()
	go func() {
		_, err := db.Backup(ctx, w, nil)
		w.CloseWithError(err)
	}()
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

// download makes a store of a backup in dir, which must not exist. All that is read is verified.
func download(ctx context.Context, url, dir string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("there is no backup: %s", answer.Status)
	}
	_, err = siltstone.Restore(ctx, dir, nil, answer.Body)
	return err
}

func Example_backup() {
	dir, err := os.MkdirTemp("", "cookbook-")
	check(err)
	defer os.RemoveAll(dir)
	var b bucket
	storage := httptest.NewServer(&b)
	defer storage.Close()

	ctx, url := context.Background(), storage.URL+"/backups/2030-01-01"
	db, err := siltstone.Open(filepath.Join(dir, "store"), nil)
	check(err)
	check(db.Put([]byte("key"), []byte("value")))
	check(upload(ctx, db, url))
	var file bytes.Buffer
	check(writeTar(ctx, db, filepath.Join(dir, "copy"), &file))
	check(db.Close())

	check(download(ctx, url, filepath.Join(dir, "restored")))
	check(readTar(ctx, &file, filepath.Join(dir, "unpacked")))
	for _, name := range []string{"restored", "unpacked"} {
		db, err = siltstone.Open(filepath.Join(dir, name), nil)
		check(err)
		v, err := db.Get([]byte("key"))
		fmt.Printf("%s: %s %v\n", name, v, err)
		check(db.Close())
	}
	// Output:
	// restored: value <nil>
	// unpacked: value <nil>
}

// bucket is a storage for objects, in memory.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.Method == http.MethodGet {
		_, _ = w.Write(b.objects[r.URL.Path]) // whoever asked may be gone
		return
	}
	object, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "not stored", http.StatusBadRequest)
		return
	}
	if b.objects == nil {
		b.objects = map[string][]byte{}
	}
	b.objects[r.URL.Path] = object
}
