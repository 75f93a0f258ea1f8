// Package model checks a store against a model of it: the same operations go to
// both, and every answer is compared when it is given.
//
//	tape ──► operation ──┬──► siltstone.DB on a disk whose power can be cut
//	                     │         ▲ compared: value, error, position
//	                     └──► Map, one immutable version per commit
//
// The model is a sorted map that is copied on the path of each change, so that
// every snapshot, iterator and transaction keeps the version it was made of for
// nothing, and a crash may be answered by any version since the last durable
// one. It shares no code with the engine and reaches the store through its public
// API alone.
//
// An operation is drawn from its own seed, so any part of a tape is a tape too:
// a failing one is shortened by leaving operations out.
package model
