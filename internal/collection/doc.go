// Package collection keeps the rows of hashes, sets, sorted sets and lists
// together: metadata, elements, deadlines, timers and counted orders.
//
//	package typed: a command                   this package
//	┌──────────────────────────┐     ┌──────────────────────────────────────┐
//	│ Update(src, key, body)   │ ──▶ │ Source.Begin → Txn → … → Source.End  │
//	│   Open, OpenToWrite      │ ──▶ │ 01·name           metadata           │
//	│   Find, Get, Put, Each   │ ──▶ │ 02·id·tag·…       rows  ┐ or inline, │
//	│   AddMember, PushItems   │ ──▶ │                   elements ┘ in one  │
//	│   Keep, Drop             │ ──▶ │ 00·e·deadline·id  timers             │
//	└──────────────────────────┘     └──────────────────────────────────────┘
//
// A Collection is one key as one call works on it. The call opens it, changes
// elements, and ends with Keep, which writes the metadata, or with Drop; calls about
// a whole list, such as PushItems, end so themselves.
// In between the rows and the metadata do not agree; a call that fails there must
// fail the transaction or have written nothing. A refusal after Open is returned
// through Refused if the call may have evicted an element that was due.
//
// What the engine is to do stands in Source and Txn, which it implements, and in
// Purge, which it calls. What a row holds, byte by byte, stands in
// internal/record and internal/keyenc; the rows that belong together stand with
// Collection, and what follows from deadlines in due.go.
//
// It may import base, keyenc and record. It knows no command and no option of one,
// starts no goroutine and holds no lock. A Collection and a Txn belong to one
// goroutine.
package collection
