//go:build !rocksdb

package main

// rocksKinds is empty without the build tag rocksdb, which needs librocksdb.
func rocksKinds() []engineKind { return nil }

func rocksVersions() map[string]string { return nil }
