// Package backup keeps backups of Siltstone stores in a repository: a directory, or
// whatever holds objects by name, such as S3 (package cloud).
//
//	r, err := backup.Open(backup.Dir("/backup/app"), nil)
//	made, err := r.Run(ctx, db, nil)          // now and then
//	err = r.Prune(ctx, backup.Keep{Last: 7})
//	err = r.Restore(ctx, made.Name, "/var/lib/app/store.new", nil)
//
// A backup is an object that names the tables of a store's state. Tables never change, and
// each is one object, whichever backups name it:
//
//	tables/ID-SIZE-DIGEST     a table's file
//	backups/TIME-ID           what a backup is: written last, when all of its tables are there
//	changes/STORE-AFTER-…     commits of a store behind a sequence, as they were shipped
//	garbage/…                 since when an object has been of no use
//
// So a run uploads what is new. One that was killed leaves tables that no backup names
// yet, and the next run finds them there. What List shows is whole.
//
// Beside the runs Ship puts what a store commits, a second later:
//
//	go r.Ship(ctx, db, nil)                   // db keeps changes
//	done, err := r.RestoreAt(ctx, dir, backup.RestoreOptions{Until: noon})
//	f, err := r.Follow(ctx, dir, nil)         // a warm copy: f.Run(ctx), f.DB()
//
//	backup ●──────────────────────● backup
//	       └▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭▭ segments: each begins where one has ended
//
// A segment leads on from the sequence that its name has; one that begins earlier does as
// well, so what two shippers have divided otherwise is no hole. Prune removes those that
// lead on from no backup that stays.
//
// Nothing is locked. Runs, of one store or of several, may go on at the same time, from
// several machines, and beside one Prune. Prune removes an object only when it was found
// to be of no use at least Options.Grace ago; no run takes as long, and none relies on an
// object that was marked before the run began. Clocks of the machines may differ by much
// less than Grace.
//
// Everything is verified as it is read. Backups are not encrypted: the tables hold keys
// and values as they are.
package backup
