package siltstone

import (
	"errors"
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// ResetClock sets the clock of the store in dir back to the time of Options.Clock,
// and returns what it showed before and what it shows now. A store's clock never
// goes back by itself: after one wrong reading, of the year 2099 for instance, it
// stays there, and a deadline of tomorrow has passed before it is set. The two are
// equal, and nothing is changed, if the clock is not ahead.
//
// It works offline: a store that is open is ErrLocked. What a log holds is recovered
// first, as by Open. No record is changed. So what was given a time to live while
// the clock was wrong keeps the deadline that was reckoned then, and has to be given
// another; and what had expired by the wrong clock, and was not removed yet, is
// there again until its time.
//
// The new time is part of a new manifest: a power cut leaves the one or the other.
func ResetClock(dir string, o *Options) (was, now time.Time, err error) {
	opts, err := o.withDefaults()
	if err != nil {
		return was, now, err
	}
	opts.ReadOnly, opts.MustExist, opts.manualWork = false, true, true
	at, err := storedir.At(opts.FS, dir)
	if err != nil {
		return was, now, err
	}
	db, err := Open(at.Path, &opts)
	if err != nil {
		return was, now, err
	}
	if err := db.Close(); err != nil { // the clock is in the manifest, and in no log
		return was, now, err
	}
	lock, err := at.Lock(storedir.Use{MustExist: true})
	if err != nil {
		return was, now, err
	}
	from, to, err := resetClock(at, clock.New(opts.Clock).Now())
	if err = errors.Join(storedir.NoSpace(err), storedir.Unlock(lock)); err != nil {
		return was, now, err
	}
	return time.UnixMilli(from), time.UnixMilli(to), nil
}

// resetClock publishes a manifest whose clock shows no more than the given time. It
// returns what the clock showed and what it shows.
func resetClock(at storedir.Dir, time int64) (from, to int64, err error) {
	s, info, err := manifest.Load(at.FS, at.Path)
	if err != nil {
		return 0, 0, err
	}
	files, err := at.List()
	switch {
	case err != nil:
		return 0, 0, err
	case !s.Clean || info.Torn != 0 || len(files.Logs) > 0:
		return 0, 0, fmt.Errorf("siltstone: %s was opened meanwhile, and not closed", at.Path)
	case s.Clock <= time:
		return s.Clock, s.Clock, nil
	}
	next := *s
	next.Clock = time
	log, err := manifest.Create(at.FS, at.Path, files.Manifests[len(files.Manifests)-1]+1, &next)
	if err != nil {
		return 0, 0, err
	}
	// The next Open removes it if this fails.
	_ = at.FS.Remove(at.Name(base.FileManifest, info.Number))
	return s.Clock, time, log.Close()
}
