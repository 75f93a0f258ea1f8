// Package archive is the format of backups: a stream of bytes that holds the state of a
// store after one commit, to be written to and read from anything that bytes go
// through. DB.Backup writes one, Restore and VerifyBackup read it.
//
//	stream := header | block* | end
//	block  := head | payload           each with a checksum of its own
//
//	header  whose backup it is, its id, and the id of the backup that it adds to
//	table   begins: its id         ┐
//	bytes … of the file            ├ for each table that the reader does not have
//	table   ends: size, digest     ┘
//	state … which tables make up the store
//	end     totals; nothing follows
//
// Tables never change. So a backup that adds to an earlier one leaves out what that one
// had: the Mark of a backup names its tables by id, size and digest. A stream that ends
// before its end block is known to be cut, and a block that was changed, lost, moved,
// repeated or taken from another stream does not verify.
//
// docs/format/backup.md has the stream byte by byte. A Writer holds a block of 256 KiB, a
// Reader one of at most 1 MiB, and both the tables by name, 24 bytes each. They are for
// one goroutine at a time and take no lock. The package imports manifest and
// internal/base.
package archive
