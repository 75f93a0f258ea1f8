package metrics

// Layout is where the tables of a store lie in its key space, as DB.Layout returns it for
// a drawing. It has no keys: places are parts of the key space, measured by the bytes of
// all tables.
//
//	0                         1
//	├──▭────▭▭──────▭─────────┤  run of level 0
//	├▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭┤  run of level 6
type Layout struct {
	Runs []LayoutRun // newest first
}

// LayoutRun is one run: tables that do not overlap.
type LayoutRun struct {
	Age    uint64 // higher is newer
	Level  int    // 0: flushed, 6: the last
	Tables []LayoutTable
}

// LayoutTable is one table and its place, between From and To, from 0 to 1. A read of a
// key asks each table whose place the key is in.
type LayoutTable struct {
	From, To float64
	Bytes    int64
	Records  int64 // puts, deletes and range deletes
	Deletes  int64 // of them the deletes and range deletes
}
