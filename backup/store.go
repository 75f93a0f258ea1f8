package backup

import (
	"context"
	"io"
)

// Store holds objects by name. Names are slash-separated words of letters, digits, '-' and
// '.'. A store is safe for concurrent use, and what it has confirmed is seen by every
// later call: an object that was put can be read and is listed.
type Store interface {
	// List returns all objects whose names begin with prefix, in any order.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Get opens an object. One that does not exist is fs.ErrNotExist, from Get.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// Put makes an object of all of content, in the place of one of that name, and
	// returns when it is durable. After an error there may be the object of before, the
	// new one, or a part of it. Content is at its beginning.
	Put(ctx context.Context, name string, content io.ReadSeeker) error
	// Delete deletes an object. One that does not exist is no error.
	Delete(ctx context.Context, name string) error
}

// Object is an object as it is listed.
type Object struct {
	Name string
	Size int64 // bytes
}
