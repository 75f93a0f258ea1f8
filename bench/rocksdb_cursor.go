//go:build rocksdb

package main

/*
#include "rocksdb/c.h"

typedef struct {
	const char *key, *value;
	size_t keyLen, valueLen;
} bench_pair;

// bench_at fills in the pair the iterator stands on and returns whether there is
// one: a move and its pair cross the border in one call.
static int bench_at(const rocksdb_iterator_t* it, bench_pair* p) {
	if (!rocksdb_iter_valid(it)) return 0;
	p->key = rocksdb_iter_key(it, &p->keyLen);
	p->value = rocksdb_iter_value(it, &p->valueLen);
	return 1;
}
static int bench_first(rocksdb_iterator_t* it, bench_pair* p) { rocksdb_iter_seek_to_first(it); return bench_at(it, p); }
static int bench_last(rocksdb_iterator_t* it, bench_pair* p) { rocksdb_iter_seek_to_last(it); return bench_at(it, p); }
static int bench_next(rocksdb_iterator_t* it, bench_pair* p) { rocksdb_iter_next(it); return bench_at(it, p); }
static int bench_prev(rocksdb_iterator_t* it, bench_pair* p) { rocksdb_iter_prev(it); return bench_at(it, p); }
static int bench_seek(rocksdb_iterator_t* it, const char* key, size_t n, bench_pair* p) {
	rocksdb_iter_seek(it, key, n);
	return bench_at(it, p);
}
*/
import "C"

import "unsafe"

// rocksCursor lends the bytes of RocksDB's iterator.
type rocksCursor struct {
	it   *C.rocksdb_iterator_t
	pair C.bench_pair
}

func (c *rocksCursor) First() bool { return C.bench_first(c.it, &c.pair) != 0 }
func (c *rocksCursor) Last() bool  { return C.bench_last(c.it, &c.pair) != 0 }
func (c *rocksCursor) Next() bool  { return C.bench_next(c.it, &c.pair) != 0 }
func (c *rocksCursor) Prev() bool  { return C.bench_prev(c.it, &c.pair) != 0 }

func (c *rocksCursor) SeekGE(key []byte) bool {
	return C.bench_seek(c.it, (*C.char)(unsafe.Pointer(unsafe.SliceData(key))), C.size_t(len(key)), &c.pair) != 0
}

func (c *rocksCursor) Key() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(c.pair.key)), int(c.pair.keyLen))
}

func (c *rocksCursor) Value() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(c.pair.value)), int(c.pair.valueLen))
}

func (c *rocksCursor) Close() error {
	var cerr *C.char
	C.rocksdb_iter_get_error(c.it, &cerr)
	C.rocksdb_iter_destroy(c.it)
	return rocksError(cerr)
}
