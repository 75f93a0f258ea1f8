//go:build rocksdb

package main

/*
#cgo LDFLAGS: -lrocksdb
#include <stdlib.h>
#include "rocksdb/c.h"

// An array of pairs crosses the border in one call: lens holds the length of
// each key and value, data all their bytes.
static void bench_write(rocksdb_t* db, rocksdb_writeoptions_t* o, const char* data, const int* lens, int n, char** err) {
	rocksdb_writebatch_t* b = rocksdb_writebatch_create();
	for (int i = 0; i < n; i++) {
		rocksdb_writebatch_put(b, data, lens[2*i], data + lens[2*i], lens[2*i+1]);
		data += lens[2*i] + lens[2*i+1];
	}
	rocksdb_write(db, o, b, err);
	rocksdb_writebatch_destroy(b);
}
*/
import "C"

import (
	"errors"
	"os"
	"strings"
	"unsafe"
)

// rocksEngine is RocksDB through its C interface, with filters of ten bits, two
// background jobs and snappy.
type rocksEngine struct {
	db    *C.rocksdb_t
	read  *C.rocksdb_readoptions_t
	write *C.rocksdb_writeoptions_t
}

func rocksKinds() []engineKind { return []engineKind{{name: "rocksdb", open: openRocks}} }

// rocksVersions finds the version in the name of the mapped library: the C
// interface does not tell it.
func rocksVersions() map[string]string {
	maps, _ := os.ReadFile("/proc/self/maps")
	_, version, _ := strings.Cut(string(maps), "librocksdb.so.")
	version, _, _ = strings.Cut(version, "\n")
	return map[string]string{"rocksdb": version + " (cgo)"}
}

func openRocks(c Config) (Engine, error) {
	o := C.rocksdb_options_create()
	defer C.rocksdb_options_destroy(o)
	table := C.rocksdb_block_based_options_create()
	defer C.rocksdb_block_based_options_destroy(table)
	cache := C.rocksdb_cache_create_lru(C.size_t(c.Cache))
	defer C.rocksdb_cache_destroy(cache) // the options hold their own reference
	C.rocksdb_block_based_options_set_block_cache(table, cache)
	C.rocksdb_block_based_options_set_filter_policy(table, C.rocksdb_filterpolicy_create_bloom_full(10))
	C.rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
	C.rocksdb_options_set_block_based_table_factory(o, table)
	C.rocksdb_options_set_create_if_missing(o, 1)
	C.rocksdb_options_set_write_buffer_size(o, C.size_t(c.Memtable))
	C.rocksdb_options_set_max_write_buffer_number(o, 4)
	C.rocksdb_options_set_max_background_jobs(o, 2)
	C.rocksdb_options_set_compression(o, C.rocksdb_snappy_compression)
	C.rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1)

	dir := C.CString(c.Dir)
	defer C.free(unsafe.Pointer(dir))
	var cerr *C.char
	db := C.rocksdb_open(o, dir, &cerr)
	if err := rocksError(cerr); err != nil {
		return nil, err
	}
	e := &rocksEngine{db: db, read: C.rocksdb_readoptions_create(), write: C.rocksdb_writeoptions_create()}
	if c.Sync {
		C.rocksdb_writeoptions_set_sync(e.write, 1)
	}
	return e, nil
}

// rocksError takes over an error string.
func rocksError(cerr *C.char) error {
	if cerr == nil {
		return nil
	}
	defer C.rocksdb_free(unsafe.Pointer(cerr))
	return errors.New(C.GoString(cerr))
}

// chars returns the bytes as C sees them; nil for none.
func chars(b []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(b))) }

func (e *rocksEngine) Put(key, value []byte) error {
	var cerr *C.char
	C.rocksdb_put(e.db, e.write, chars(key), C.size_t(len(key)), chars(value), C.size_t(len(value)), &cerr)
	return rocksError(cerr)
}

func (e *rocksEngine) Apply(pairs []Pair) error {
	var data []byte
	lens := make([]C.int, 0, 2*len(pairs))
	for _, p := range pairs {
		data = append(append(data, p.Key...), p.Value...)
		lens = append(lens, C.int(len(p.Key)), C.int(len(p.Value)))
	}
	var cerr *C.char
	C.bench_write(e.db, e.write, chars(data), unsafe.SliceData(lens), C.int(len(pairs)), &cerr)
	return rocksError(cerr)
}

func (e *rocksEngine) Get(dst, key []byte) ([]byte, bool, error) {
	var cerr *C.char
	pin := C.rocksdb_get_pinned(e.db, e.read, chars(key), C.size_t(len(key)), &cerr)
	if pin == nil {
		return dst, false, rocksError(cerr)
	}
	defer C.rocksdb_pinnableslice_destroy(pin)
	var n C.size_t
	v := C.rocksdb_pinnableslice_value(pin, &n)
	return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(v)), int(n))...), true, nil
}

func (e *rocksEngine) NewCursor(bool) (Cursor, error) {
	return &rocksCursor{it: C.rocksdb_create_iterator(e.db, e.read)}, nil
}

func (e *rocksEngine) Close() error {
	C.rocksdb_readoptions_destroy(e.read)
	C.rocksdb_writeoptions_destroy(e.write)
	C.rocksdb_close(e.db)
	return nil
}
