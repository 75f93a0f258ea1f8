// Package explain has what DB.Explain returns: the memtables and tables in which a read
// looks for one key, what each of them has, and which of them decides the answer.
//
//	e, err := db.Explain([]byte("user:1"))
//	fmt.Print(e)
//
//	key "user:1" at sequence 9, 2025-01-01T00:00:00.000Z
//	   memtable
//	     no version
//	-> run 3, level 0: 000012.sst
//	     delete, sequence 8
//	   run 1, level 6: 000007.sst
//	     put, sequence 2: string of 3 bytes
//	=> absent: deleted at sequence 8 (run 3, level 0: 000012.sst)
//
// Explanations are plain values, which belong to the caller and hold nothing of the
// store. They have keys and no values.
package explain
