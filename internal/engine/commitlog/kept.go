package commitlog

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/wal"
)

// Kept are the logs in which readers of changes find the past: those in use, and those
// that a flush has retired, as far as the bounds allow. Each follows the one before it.
//
//	oldest ── retired ── in use ── newest
//	└── Retire and Trim remove here     └── the log appends its next one
//
// It is safe for concurrent use.
type Kept struct {
	// constant
	Bytes int64         // of retired logs at most; 0: no bound
	Age   time.Duration // after which a retired log goes; 0: none does for that

	mu      invariants.Mutex
	logs    []KeptLog // oldest first
	retired int       // how many of them are
	held    atomic.Int64
}

// KeptLog is one of them. Its header is durable.
type KeptLog struct {
	Number base.FileNum
	LogID  uint64
	Before base.SeqNum // the last sequence of the log before it, or that of its header
	First  base.SeqNum // frames begin above it
	Clock  int64       // at its beginning, milliseconds since 1970
	Bytes  int64       // of its file, once it is retired
}

// NewKeptLog returns the entry of a log with this header.
func NewKeptLog(h wal.Header) KeptLog {
	l := KeptLog{Number: h.Number, LogID: h.LogID, Before: h.LastSeq, First: h.LastSeq, Clock: h.Clock}
	if h.Prev.Number != 0 {
		l.Before = h.Prev.LastSeq
	}
	return l
}

// Found takes over retired logs that an earlier process has left, oldest first. It is
// called before there is a log.
func (k *Kept) Found(logs []KeptLog) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.logs, k.retired = logs, len(logs)
	k.measureLocked()
}

func (k *Kept) measureLocked() {
	n := int64(0)
	for _, l := range k.logs[:k.retired] {
		n += l.Bytes
	}
	k.held.Store(n)
}

// began notes a log whose header is durable.
func (k *Kept) began(h wal.Header) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.logs = append(k.logs, NewKeptLog(h))
}

// Logs returns the logs, oldest first.
func (k *Kept) Logs() []KeptLog {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.logs)
}

// Has reports whether the log is one of them.
func (k *Kept) Has(n base.FileNum) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.ContainsFunc(k.logs, func(l KeptLog) bool { return l.Number == n })
}

// Held returns how many bytes of files are kept for readers alone.
func (k *Kept) Held() int64 {
	if k == nil {
		return 0
	}
	return k.held.Load()
}

// Retire notes that a log is retired, whose file has so many bytes.
func (k *Kept) Retire(n base.FileNum, bytes int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := slices.IndexFunc(k.logs, func(l KeptLog) bool { return l.Number == n }); i >= k.retired {
		k.logs[i].Bytes = bytes
		k.retired = i + 1
		k.measureLocked()
	}
}

// Trim takes the logs out that are beyond a bound at the reading now, and returns them.
// The caller removes their files, oldest first. Retired logs are taken alone, and the
// newest one only once the log behind it has begun: where that begins is what a reader who
// comes too late is told.
func (k *Kept) Trim(now int64) (gone []base.FileNum) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.retired > 0 && len(k.logs) > 1 && k.beyondLocked(now) {
		gone = append(gone, k.logs[0].Number)
		k.logs = k.logs[1:]
		k.retired--
		k.measureLocked()
	}
	return gone
}

// beyondLocked reports whether the oldest log is beyond a bound. Its last change is not
// younger than the beginning of the log behind it.
func (k *Kept) beyondLocked(now int64) bool {
	if k.Bytes > 0 && k.held.Load() > k.Bytes {
		return true
	}
	return k.Age > 0 && k.logs[1].Clock < now-k.Age.Milliseconds()
}

// Front is how far the log is durable: everything in the logs before Log, and the first
// Offset bytes of that.
type Front struct {
	Log    base.FileNum
	Offset int64
}

// Front returns how far the log is durable, and a channel that is closed when it is
// further, or has failed. err is that failure. What was appended before anybody waited for
// it, and not synced, is synced a moment later.
func (l *Log) Front() (f Front, moved <-chan struct{}, err error) {
	l.mu.Lock()
	behind := l.moved == nil && l.durable < l.appended
	if l.moved == nil {
		l.moved = make(chan struct{})
	}
	f, moved, err = l.front, l.moved, l.err
	l.mu.Unlock()
	if behind && l.gathering != nil {
		l.gathering()
	}
	return f, moved, err
}

// Followed reports whether somebody may wait for the log to be durable further on.
func (l *Log) Followed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.moved != nil
}

// advanceLocked notes that so much of a log is durable. A sync that another overtook
// comes late, and changes nothing.
func (l *Log) advanceLocked(n base.FileNum, offset int64) {
	if n > l.front.Log || n == l.front.Log && offset > l.front.Offset {
		l.front = Front{n, offset}
	}
}

// takeMovedLocked returns the channel to be closed, with no lock held, when the front
// has moved; nil if nobody waits.
func (l *Log) takeMovedLocked() chan struct{} {
	moved := l.moved
	l.moved = nil
	return moved
}

func closeMoved(moved chan struct{}) {
	if moved != nil {
		close(moved)
	}
}
