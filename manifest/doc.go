// Package manifest knows which tables make up a store, and writes it down:
// versions, the edits between them, and the log of edits on disk.
//
//	CURRENT ──names──► MANIFEST-000007
//	                   +--------+----------+------+------+-----+
//	                   | header | snapshot | edit | edit | ... |
//	                   +--------+----------+------+------+-----+
//	                                 │        │      │
//	                               State ──Apply──Apply──► State
//	                                 │
//	                              Version
//	                              L0 #9: 31[c-k]                  newest run
//	                              L0 #8: 30[a-x]
//	                              L2 #5: 22[a-g] 24[h-z]
//	                              L6 #1: 11[a-d] 12[e-m) 13[m-z]  oldest run
//
// A Version is runs of tables from newest to oldest; the tables of a run do not
// overlap. Versions, tables and states are immutable: an edit makes a new one
// that shares what did not change.
//
// Every durable step goes through one order: tables synced, directory synced,
// edit appended and synced, made visible, and only then are files removed. An
// edit that is not whole was never acted upon; so a manifest may end in a torn
// edit, and everything else that does not verify is damage. A manifest is never
// taken to be shorter than it was.
//
// Part of the engine; no compatibility promise.
package manifest
