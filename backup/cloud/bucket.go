package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/siltstonedb/siltstone/backup"
)

// Bucket returns the objects of b as a store of backups. The caller closes b, when no
// repository uses the store any more. The bucket must show what was put to every later
// call, as those of S3, Google and Azure do. It needs the rights to list, get, put and
// delete objects.
func Bucket(b *blob.Bucket) backup.Store { return bucket{b} }

type bucket struct{ *blob.Bucket }

func (b bucket) List(ctx context.Context, prefix string) (all []backup.Object, err error) {
	it := b.Bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := it.Next(ctx)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if !o.IsDir {
			all = append(all, backup.Object{Name: o.Key, Size: o.Size})
		}
	}
}

func (b bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := b.NewReader(ctx, name, nil)
	if err != nil {
		return nil, missing(err)
	}
	return r, nil
}

// Put writes an object. The services make it when the writer is closed, and one that is
// cancelled before is none.
func (b bucket) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := b.NewWriter(ctx, name, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return err
	}
	if _, err = io.Copy(w, content); err != nil {
		cancel() // or Close would make an object of a part
		return errors.Join(err, w.Close())
	}
	return w.Close()
}

func (b bucket) Delete(ctx context.Context, name string) error {
	err := missing(b.Bucket.Delete(ctx, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// missing makes the error of an object that does not exist fs.ErrNotExist.
func missing(err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
