package raftstore

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Event is an event of a replica, as Options.OnEvent receives it: a plain value of one of
// the types here. Types and fields may be added.
type Event interface {
	// Name returns the name of the event's type in words. It is the same for all events of
	// the type.
	Name() string
	// String returns the event, with its figures, as one line. Its form may change.
	String() string
	// LogValue returns the event's fields as a group of attributes. An error that is nil is
	// left out.
	slog.LogValuer
}

// LeaderChange is sent when this replica learns of another leader or term, or that there
// is none. Changes that follow one another quickly may be one.
type LeaderChange struct {
	Leader string // its ID; empty: there is none
	Term   uint64
}

// MemberChange is sent when this replica learns that the members are others.
type MemberChange struct{ Members []Member }

// SnapshotTaken is sent when this replica has taken a snapshot of its store, or failed to.
type SnapshotTaken struct {
	Index    uint64 // of the last command in it
	Duration time.Duration
	Err      error
}

// SnapshotSent is sent when this replica, as the leader, has sent a snapshot to another
// one, or failed to. It is sent again then.
type SnapshotSent struct {
	To       string
	Index    uint64 // up to which the log is in it
	Size     int64  // of the whole
	Bytes    int64  // that were sent; the rest are tables that the other one had
	Duration time.Duration
	Err      error
}

// SnapshotInstalled is sent when a snapshot has become the store of this replica, or could
// not. The leader sends it again then.
type SnapshotInstalled struct {
	Index    uint64 // of the last command in it
	Duration time.Duration
	Err      error
}

// NoSpace is sent when this replica cannot apply a command for want of space, and when it
// goes on.
type NoSpace struct{ Ended bool }

// Stopped is sent once, when the replica stops for good.
type Stopped struct{ Err error }

// Name returns "leader changed".
func (LeaderChange) Name() string { return "leader changed" }

// Name returns "members changed".
func (MemberChange) Name() string { return "members changed" }

// Name returns "snapshot taken".
func (SnapshotTaken) Name() string { return "snapshot taken" }

// Name returns "snapshot sent".
func (SnapshotSent) Name() string { return "snapshot sent" }

// Name returns "snapshot installed".
func (SnapshotInstalled) Name() string { return "snapshot installed" }

// Name returns "no space".
func (NoSpace) Name() string { return "no space" }

// Name returns "replica stopped".
func (Stopped) Name() string { return "replica stopped" }

func (e LeaderChange) String() string      { return text(e) }
func (e MemberChange) String() string      { return text(e) }
func (e SnapshotTaken) String() string     { return text(e) }
func (e SnapshotSent) String() string      { return text(e) }
func (e SnapshotInstalled) String() string { return text(e) }
func (e NoSpace) String() string           { return text(e) }
func (e Stopped) String() string           { return text(e) }

// text returns the name and the fields of an event.
func text(e Event) string {
	var b strings.Builder
	b.WriteString(e.Name())
	for i, a := range e.LogValue().Group() {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		fmt.Fprint(&b, separator, a.Key, " ", a.Value)
	}
	return b.String()
}

// group returns attributes as a group. A nil error is left out.
func group(err error, attrs ...slog.Attr) slog.Value {
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	return slog.GroupValue(attrs...)
}

// LogValue returns the fields as a group of attributes.
func (e LeaderChange) LogValue() slog.Value {
	return group(nil, slog.String("leader", e.Leader), slog.Uint64("term", e.Term))
}

// LogValue returns the fields as a group of attributes.
func (e MemberChange) LogValue() slog.Value { return group(nil, slog.Any("members", e.Members)) }

// LogValue returns the fields as a group of attributes.
func (e SnapshotTaken) LogValue() slog.Value {
	return group(e.Err, slog.Uint64("index", e.Index), slog.Duration("took", e.Duration))
}

// LogValue returns the fields as a group of attributes.
func (e SnapshotSent) LogValue() slog.Value {
	return group(e.Err, slog.String("to", e.To), slog.Uint64("index", e.Index), slog.Int64("size", e.Size),
		slog.Int64("bytes", e.Bytes), slog.Duration("took", e.Duration))
}

// LogValue returns the fields as a group of attributes.
func (e SnapshotInstalled) LogValue() slog.Value {
	return group(e.Err, slog.Uint64("index", e.Index), slog.Duration("took", e.Duration))
}

// LogValue returns the fields as a group of attributes.
func (e NoSpace) LogValue() slog.Value { return group(nil, slog.Bool("ended", e.Ended)) }

// LogValue returns the fields as a group of attributes.
func (e Stopped) LogValue() slog.Value { return group(e.Err) }
