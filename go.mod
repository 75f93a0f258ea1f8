module github.com/siltstonedb/siltstone

go 1.26.0

require (
	github.com/bits-and-blooms/bloom/v3 v3.7.1
	github.com/cespare/xxhash/v2 v2.3.0
	github.com/huandu/skiplist v1.2.1
	github.com/klauspost/compress v1.20.3
	golang.org/x/sys v0.49.0
)

require github.com/bits-and-blooms/bitset v1.24.2 // indirect
