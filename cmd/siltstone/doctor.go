package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/debughttp"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/spf13/cobra"
)

// grade is how a finding is to be taken.
type grade string

const (
	gradeOK     grade = "ok"     // as it should be
	gradeNote   grade = "note"   // good to know; nothing has to be done
	gradeWarn   grade = "warn"   // something is to be done
	gradeDamage grade = "damage" // data are damaged
)

// finding is one line of doctor.
type finding struct {
	grade grade
	about string
	what  string
	do    string // what to do; empty: nothing
}

// doctor gathers findings about one store.
type doctor struct {
	findings []finding
	now      time.Time
}

func (d *doctor) add(g grade, about, do, format string, args ...any) {
	d.findings = append(d.findings, finding{g, about, fmt.Sprintf(format, args...), do})
}

func (t *tool) doctorCommand() *cobra.Command {
	var deep bool
	var live string
	cmd := &cobra.Command{
		Use:     "doctor DIR",
		GroupID: groupCare,
		Short:   "What an experienced operator would look at, and what to do",
		Long: `Look at what an experienced operator would look at: disk headroom, files that
are missing or left over, merges that are behind, the clock, limits of the
machine. Each finding is a line, and below it what to do. It works beside a
live writer.

Stalls, old snapshots and refused writes are known to the process that has the
store open: with --live doctor asks its page of package debughttp. With --deep
every byte of the store is read and verified, as check does.

The exit code is 6 if something is to be done, 4 if there is damage.`,
		Example: `  siltstone doctor /var/lib/app/store --deep
  siltstone doctor /var/lib/app/store --live http://localhost:6060/debug/store`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d := &doctor{now: time.Now()}
			if err := t.examine(cmd.Context(), d, args[0], deep, live); err != nil {
				return err
			}
			return t.diagnose(d)
		},
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "read and verify every byte of the store")
	cmd.Flags().StringVar(&live, "live", "", "address of the service's debughttp page")
	return cmd
}

// examine looks at everything. What cannot be looked at is a finding; an error is only that
// there is no store, or that the page does not answer.
func (t *tool) examine(ctx context.Context, d *doctor, dir string, deep bool, live string) error {
	i, err := readInfo(dir)
	if err != nil && exitCode(err) != exitDamage {
		return err
	}
	if err != nil {
		d.add(gradeDamage, "manifest", "siltstone repair "+dir+" NEW makes a new store of what can be read", "%s", told(err))
		return nil
	}
	d.state(i)
	d.tables(i)
	d.leftovers(i)
	d.disk(i)
	d.merges(i)
	d.clock(i)
	d.limits(i)
	if deep {
		t.deep(ctx, d, i)
	}
	if live != "" {
		return d.live(ctx, live)
	}
	if i.Holder != "" {
		d.add(gradeNote, "live", "mount package debughttp in it and add --live ADDRESS", "stalls, open snapshots and refused writes are known to %s alone", i.Holder)
	}
	return nil
}

func (d *doctor) state(i *info) {
	logs := int64(0)
	for _, f := range i.Files {
		if f.Kind == "logs" {
			logs = f.Bytes
		}
	}
	switch {
	case i.Holder != "":
		d.add(gradeOK, "state", "", "open for writing by %s", i.Holder)
	case i.State.Clean:
		d.add(gradeOK, "state", "", "closed, nothing to replay")
	default:
		d.add(gradeNote, "state", "nothing: that is what the log is for. If it happens often, see to it that the service calls Close",
			"not closed: the next open replays up to %s of logs", size(logs))
	}
}

// tables looks whether the tables of the manifest are there, with their sizes. A merge may
// remove one meanwhile: then the manifest is read again.
func (d *doctor) tables(i *info) {
	missing := missingTables(i)
	if len(missing) > 0 && i.Holder != "" {
		if again, err := readInfo(i.Dir); err == nil {
			*i = *again
			missing = missingTables(i)
		}
	}
	for n, m := range missing {
		if n == 10 {
			d.add(gradeDamage, "tables", "", "… and %d more", len(missing)-n)
			break
		}
		d.add(gradeDamage, "tables", "restore the file, or: siltstone repair "+i.Dir+" NEW", "%s", m)
	}
	if len(missing) == 0 {
		d.add(gradeOK, "tables", "", "%s, all there, with the sizes that the manifest names", counted(len(i.State.Version.AllTables()), "table"))
	}
}

// missingTables says which tables are not there or have another size.
func missingTables(i *info) (faults []string) {
	for _, tab := range i.State.Version.AllTables() {
		name := base.Filename(base.FileTable, tab.Num)
		stat, err := os.Stat(filepath.Join(i.Dir, name))
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s is missing", name))
		} else if uint64(stat.Size()) != tab.Size {
			faults = append(faults, fmt.Sprintf("%s has %s, the manifest says %s", name, counted(stat.Size(), "byte"), count(tab.Size)))
		}
	}
	return faults
}

// leftovers looks for tables that no state lists, and for copies that were never finished.
func (d *doctor) leftovers(i *info) {
	var listed, there int64
	for _, tab := range i.State.Version.AllTables() {
		listed += int64(tab.Size)
	}
	for _, f := range i.Files {
		if f.Kind == "tables" {
			there = f.Bytes
		}
	}
	if extra := there - listed; extra > max(64<<20, listed/4) {
		if i.Holder != "" {
			d.add(gradeWarn, "old tables", "close iterators, snapshots and transactions that are open for long: DB.OpenHandles names them (Options.TrackOpen)",
				"%s of tables are kept for readers or a merge that runs", size(extra))
		} else {
			d.add(gradeNote, "old tables", "nothing: the next open for writing removes them", "%s of tables that no state lists", size(extra))
		}
	}
	partial, _ := filepath.Glob(filepath.Join(filepath.Dir(i.Dir), "*.partial"))
	for _, p := range partial {
		if _, err := os.Stat(filepath.Join(p, "CURRENT")); err == nil || isPartialOf(i.Dir, p) {
			d.add(gradeNote, "leftover", "if no checkpoint, repair or dump is running: rm -r "+p, "%s was never finished", filepath.Base(p))
		}
	}
}

// isPartialOf reports whether a name is that of something unfinished beside dir.
func isPartialOf(dir, partial string) bool {
	return strings.HasPrefix(filepath.Base(partial), filepath.Base(dir)+".")
}

// leastFree is below what every store is short of space.
const leastFree = 1 << 30

func (d *doctor) disk(i *info) {
	var store, ballast int64
	for _, f := range i.Files {
		store += f.Bytes
		if f.Kind == "ballast" {
			ballast = f.Bytes
		}
	}
	const do = "free space or enlarge the disk; Options.MaxDiskBytes refuses writes before the disk is full"
	switch {
	case i.Free < 0:
		d.add(gradeNote, "disk", "", "how much is free is not known here")
	case i.Free < leastFree/4:
		d.add(gradeWarn, "disk", do, "nearly full: %s free, store %s", size(i.Free), size(store))
	case i.Free < max(leastFree, store/4):
		d.add(gradeWarn, "disk", do, "%s free, store %s: a merge of the last level may need more for a while", size(i.Free), size(store))
	default:
		d.add(gradeOK, "disk", "", "%s free, store %s", size(i.Free), size(store))
	}
	if ballast == 0 && len(i.State.Version.Runs) > 0 && i.Holder == "" && i.Free > leastFree {
		d.add(gradeNote, "ballast", "nothing: the next open makes it again", "the file BALLAST, kept for a full disk, is missing: the disk was full, or this is a copy")
	}
}

// manyRuns is the number of runs above which the store itself takes its merges to be behind.
const manyRuns = 14

func (d *doctor) merges(i *info) {
	runs := i.State.Version.Runs
	var puts, deletes uint64
	for _, tab := range i.State.Version.AllTables() {
		puts += tab.Puts
		deletes += tab.Deletes
	}
	if len(runs) > manyRuns {
		d.add(gradeWarn, "merges", "write less for a while, raise Options.CompactionRate if it is set, or give the store a faster disk",
			"behind: %s, and a read asks each", counted(len(runs), "run"))
	} else {
		d.add(gradeOK, "merges", "", "%s", counted(len(runs), "run"))
	}
	if deletes > 100_000 && deletes > puts/2 {
		d.add(gradeNote, "tombstones", "nothing: merges remove them; DB.Compact does so at once", "%s deletes beside %s puts make scans slower", count(deletes), count(puts))
	}
}

func (d *doctor) clock(i *info) {
	ahead := time.UnixMilli(i.State.Clock).Sub(d.now)
	if ahead > time.Minute {
		d.add(gradeWarn, "clock", "if this machine's clock is right: stop the service and call siltstone.ResetClock for the directory",
			"the store's clock is %s ahead of this machine's: keys expire that much too early", lasting(ahead))
		return
	}
	d.add(gradeOK, "clock", "", "the store's clock is not ahead of this machine's")
}

func (d *doctor) limits(i *info) {
	const want = 1024 // 256 tables are kept open unless the options say otherwise; the rest is the service's
	if n, ok := openFilesLimit(); ok && n < want {
		d.add(gradeWarn, "open files", fmt.Sprintf("ulimit -n %d or more, for the service too", want), "the limit of a process is %d", n)
	} else if ok {
		d.add(gradeOK, "open files", "", "the limit of a process here is %s", count(n))
	}
	if stat, err := os.Stat(i.Dir); err == nil && stat.Mode().Perm()&0o022 != 0 && os.PathSeparator == '/' {
		d.add(gradeWarn, "permissions", "chmod go-w "+i.Dir, "others may write to the directory (%v)", stat.Mode().Perm())
	}
}

// deep reads the whole store.
func (t *tool) deep(ctx context.Context, d *doctor, i *info) {
	p := t.progress("check", "B", t.checkBytes(i.Dir))
	faults, read, err := t.checkStore(ctx, i.Dir, p.Add)
	p.End()
	switch {
	case err != nil:
		d.add(gradeWarn, "deep check", "make a checkpoint and examine that", "was not made: %v", err)
	case len(faults) == 0:
		d.add(gradeOK, "deep check", "", "%s read, no fault", size(read))
	}
	for n, f := range faults {
		if n == 10 {
			d.add(gradeDamage, "deep check", "", "… and %d more", len(faults)-n)
			break
		}
		d.add(gradeDamage, "deep check", "siltstone repair "+i.Dir+" NEW makes a new store of what can be read", "%s", told(f))
	}
}

// maxPage is the largest page of figures that is read.
const maxPage = 16 << 20

// live asks the process that has the store open.
func (d *doctor) live(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return usagef("--live %q is no address such as http://localhost:6060/debug/store", address)
	}
	q := u.Query()
	q.Set("format", "json")
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return advise(err, "is the service up, and is debughttp.Handler mounted there?")
	}
	defer resp.Body.Close() // it was only read
	var page debughttp.Report
	if resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	} else {
		err = json.NewDecoder(io.LimitReader(resp.Body, maxPage)).Decode(&page)
	}
	if err != nil {
		return advise(fmt.Errorf("%s gives no figures: %w", address, err), "the address is that at which debughttp.Handler is mounted")
	}
	d.figures(page)
	return nil
}
