package commitlog

import "time"

// SyncBehind makes the written frames durable. Commits append and write meanwhile, and
// a rotation has less to wait for. A failure of SyncBehind is a failure of the log.
func (l *Log) SyncBehind() error {
	begin := time.Now()
	did, moved, err := l.syncWritten()
	closeMoved(moved)
	if did && l.synced != nil {
		l.synced(time.Since(begin))
	}
	return err
}

// syncWritten syncs the file that takes frames, if there is anything to sync. The
// operating system may tell a file's failure once, to one of several callers that sync
// it. So no other caller syncs until all know the outcome.
func (l *Log) syncWritten() (did bool, moved chan struct{}, err error) {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	s, pos, err, nothing := l.segs[0], l.written, l.err, l.durable >= l.written
	end := s.written
	if err == nil && !nothing {
		l.unsynced.syncs()
	}
	l.mu.Unlock()
	if err != nil || nothing {
		return false, nil, err
	}
	begin := time.Now()
	if err := s.File.Sync(); err != nil {
		err = l.fail(err)
		l.mu.Lock()
		defer l.mu.Unlock()
		return true, l.takeMovedLocked(), err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.durable = max(l.durable, pos)
	l.unsynced.synced()
	s.synced = max(s.synced, end)
	l.stats.Syncs.Add(time.Since(begin))
	l.advanceLocked(s.Number, s.synced)
	return true, l.takeMovedLocked(), nil
}
