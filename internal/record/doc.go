// Package record knows what a record's bytes mean to more than one layer: the
// types of values, a collection's metadata, and the encoding of a change in
// a batch and in the log. Compaction and the typed values both read it.
package record
