package backup

import (
	"fmt"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/archive"
)

// The prefixes of names in a repository.
const (
	tablePrefix   = "tables/"
	backupPrefix  = "backups/"
	changesPrefix = "changes/"
	garbagePrefix = "garbage/"
)

// repository is what the streams of a repository's backup objects add to: the tables that
// are objects of their own.
const repository = 0x7265_706f_7369_7401

// tableName returns the name of a table's object. A table that is put again because its
// object is to be removed gets a suffix that was never used.
func tableName(t archive.Table, suffix string) string {
	name := fmt.Sprintf("%s%016x-%d-%016x", tablePrefix, t.ID, t.Size, t.Digest)
	if suffix != "" {
		name += "-" + suffix
	}
	return name
}

// parseTable is the reverse of tableName.
func parseTable(name string) (t archive.Table, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(name, tablePrefix), "-", 4)
	suffix := ""
	if len(parts) == 4 {
		suffix = parts[3]
	}
	if len(parts) < 3 {
		return t, false
	}
	if _, err := fmt.Sscanf(strings.Join(parts[:3], " "), "%x %d %x", &t.ID, &t.Size, &t.Digest); err != nil {
		return t, false
	}
	return t, tableName(t, suffix) == name
}

const timeFormat = "20060102T150405.000Z"

// backupName returns the name of a backup, without the prefix. Names are in the order of
// time.
func backupName(h archive.Header) string {
	return fmt.Sprintf("%s-%016x", h.Time.UTC().Format(timeFormat), h.Backup)
}

// parseBackup returns the time of a backup's name.
func parseBackup(name string) (at time.Time, ok bool) {
	text, id, _ := strings.Cut(name, "Z-")
	at, err := time.Parse(timeFormat, text+"Z")
	return at, err == nil && len(id) == 16
}
