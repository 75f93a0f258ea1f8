// Package keyspace is the named parts of a store: their numbers, the prefix of
// their rows, and which have been dropped.
//
//	registry row   name → prefix          which keyspaces there are
//	rows           prefix ++ row          of one keyspace
//
// A nil *Space is the default keyspace, which has no name and no prefix. The
// package imports internal/base and internal/keyenc.
package keyspace
