// Package typed gives a key of the store a value with a type: a string, hash,
// set, sorted set or list, with the commands of Redis 7 as methods of handles.
//
//	tx.Hash("user:1").Set("name", ada)
//
//	   Hash handle              one call               rows of the engine
//	┌───────────────┐      ┌─────────────────┐      ┌──────────────────────────────┐
//	│ source · name │ ───▶ │ its transaction │ ───▶ │ 01·user:1       → hash, id 7 │
//	└───────────────┘      └─────────────────┘      │ 02·7·owner      → 01·user:1  │
//	                                                │ 02·7·elem·name  → Ada        │
//	                                                └──────────────────────────────┘
//
// A collection of few and short elements has its row under 01 alone, with the
// elements inside; it gets rows of its own when it grows.
//
// A handle is a small value that names a key; making one costs nothing and
// checks nothing. It comes from a store (each call is one transaction of its
// own, a loop is one that reads), from a transaction or from a snapshot, and is
// good for as long as that.
//
// What holds for every call:
//
//   - A key holds one value of one type. A call for another type is
//     ErrWrongType and changes nothing; String.Set and Key.Drop take any type.
//   - One missing thing is ErrNotFound. Calls about several things, and counts,
//     give empty or 0; conditional writes give a bool.
//   - A collection without elements does not exist: removing the last element
//     removes the key, and with it the time to live.
//   - A field of a hash, or a member of a set, may have a time to live of its own.
//     Once that is over no call shows or counts it, and a collection without
//     another element does not exist. Its rows leave with the next writing call
//     on the key, or soon after by themselves; until then the raw calls of the
//     engine, which know keys and not elements, still show the key.
//   - Names (of keys, fields, members) are any bytes up to 64 KiB, a key's at
//     least one. Values are any bytes up to 1 GiB; [][]byte and []byte results
//     are yours, what a loop lends is good until its next step.
//   - A refusal (wrong type, not a number, too large, bad option) changes
//     nothing, also when it is the third of five fields that is refused.
//   - A loop sees the state at its start. Changing what it walks, or looks up, is
//     safe and does not change what it yields. The error, if any, is its last item:
//     ErrTxDone if the loop's body has ended the transaction.
//
// Redis names stand in brackets.
package typed
