package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/spf13/cobra"
)

// changesOptions are the flags of changes.
type changesOptions struct {
	scanOptions
	after  string
	follow bool
	every  time.Duration
}

func (t *tool) changesCommand() *cobra.Command {
	var o changesOptions
	cmd := &cobra.Command{
		Use:     "changes DIR",
		GroupID: groupLook,
		Short:   "Print what was committed, and with --follow what is",
		Long: `Print the changes that a store keeps, commit after commit: time, keyspace, what
was done, key, and what the key has now. The last change of a commit has the
position behind it, with which --after goes on. Without --after the oldest
change that is kept comes first; "--after now" leaves out what there is.

The store must be one whose service sets Options.KeepChanges. With --follow the
command looks for new commits until it is interrupted, beside the service that
makes them. It shows only what a power cut could not take back.`,
		Example: `  siltstone changes /var/lib/app/store --prefix user: --json
  siltstone changes /var/lib/app/store --follow --after now -k tenant`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.every < 10*time.Millisecond {
				return usagef("--every %v: at least 10ms", o.every)
			}
			r, err := t.scanRange(o.scanOptions)
			if err != nil {
				return err
			}
			return t.changes(cmd.Context(), args[0], siltstone.ChangeOptions{Range: r, NoWait: !o.follow}, o)
		},
	}
	cmd.Flags().StringVar(&o.after, "after", "", `begin behind this position; "now": with what comes`)
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "wait for what comes, until interrupted")
	cmd.Flags().DurationVar(&o.every, "every", 500*time.Millisecond, "how often to look, with --follow")
	cmd.Flags().StringVar(&o.prefix, "prefix", "", "only keys that begin with this")
	cmd.Flags().StringVar(&o.from, "from", "", "only keys from this one on")
	cmd.Flags().StringVar(&o.to, "to", "", "only keys below this one")
	limitFlag(cmd, &o.limit, 0, "at most so many; 0: all")
	return t.keyFlags(cmd)
}

// changes prints the changes of the store in dir.
func (t *tool) changes(ctx context.Context, dir string, in siltstone.ChangeOptions, o changesOptions) (err error) {
	db, err := t.openRead(dir, vfs.OS)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	if o.follow && !t.beside {
		return advise(errors.New("this store cannot be followed: here nobody can read beside a writer"), "without --follow its changes are shown")
	}
	space, err := t.space(db)
	if err != nil {
		return err
	}
	in.Keyspace, _ = space.(*siltstone.Keyspace)
	switch {
	case o.after == "now":
		in.After = db.Position()
	case o.after != "":
		if in.After, err = changes.ParsePosition(o.after); err != nil {
			return usagef("--after %q: %w", o.after, err)
		}
	}
	following, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if o.follow {
			stop(t.keepRefreshing(following, db, o.every))
		}
	}()
	defer func() {
		stop(nil)
		<-ended
	}()
	err = t.showChanges(following, db, in, o)
	if o.follow && ctx.Err() != nil {
		return nil // interrupted, which is how it ends
	}
	return err
}

// keepRefreshing has db show what is written, again and again. It returns an error, or nil
// once ctx has ended.
func (t *tool) keepRefreshing(ctx context.Context, db *siltstone.DB, every time.Duration) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
		if err := t.refresh(ctx, db); err != nil {
			return err
		}
	}
}

// showChanges writes changes until there are no more. Where the position to begin with was
// not given it begins with the oldest that are kept.
func (t *tool) showChanges(ctx context.Context, db *siltstone.DB, in siltstone.ChangeOptions, o changesOptions) error {
	var n int64
	for {
		err := t.showChangesAfter(ctx, db, in, o, &n)
		var old *changes.TooOldError
		if !errors.As(err, &old) {
			return err
		}
		if n > 0 || o.after != "" || old.Oldest == in.After || old.Oldest.IsZero() {
			return advise(err, "what follows the position must be copied anew; --after %v shows the changes that are kept", old.Oldest)
		}
		if old.Oldest == db.Position() {
			if !o.follow {
				return advise(errors.New("the store keeps no changes"), "whoever writes to it has to set Options.KeepChanges; what is committed from then on is shown")
			}
			fmt.Fprintln(t.err, "no changes are kept so far")
		}
		in.After = old.Oldest
	}
}

// showChangesAfter writes changes, and counts them in n.
func (t *tool) showChangesAfter(ctx context.Context, db *siltstone.DB, in siltstone.ChangeOptions, o changesOptions, n *int64) error {
	for c, err := range db.Changes(ctx, in) {
		if err != nil {
			return err
		}
		if err := t.changeLine(c); err != nil {
			return err
		}
		if *n++; *n == o.limit {
			return nil
		}
		if o.follow && c.Last {
			if err := t.out.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// changeWidths are those of time, keyspace, kind, key and what the key has.
var changeWidths = []int{24, 8, 14, 16, 16}

// changeLine writes one change.
func (t *tool) changeLine(c changes.Change) error {
	if t.json {
		t.changeObject(c)
		return t.out.write()
	}
	position := ""
	if c.Last {
		position = c.Position.String()
	}
	return t.out.row(changeWidths, moment(c.Time), t.format.show([]byte(c.Keyspace)), c.Kind.String(), t.changedKey(c), t.changedTo(c), position)
}

// changedKey says which key, or which keys, a change is about.
func (t *tool) changedKey(c changes.Change) string {
	bound := func(b []byte) string {
		if b == nil {
			return ""
		}
		return t.format.show(b)
	}
	switch c.Kind {
	case changes.KindMakeKeyspace, changes.KindDropKeyspace, changes.KindDropAll:
		return "-"
	case changes.KindDeleteRange:
		return bound(c.Lower) + ".." + bound(c.Upper)
	case changes.KindRename:
		return t.format.show(c.Key) + " to " + t.format.show(c.To)
	}
	return t.format.show(c.Key)
}

// changedTo says what a change made of a key or an element.
func (t *tool) changedTo(c changes.Change) string {
	text := ""
	switch c.Kind {
	case changes.KindPut:
		text = t.format.show(c.Value)
	case changes.KindReplace, changes.KindRename:
		text = c.Type.String()
	case changes.KindExpire:
		if c.ExpiresAt.IsZero() {
			return "never"
		}
		return moment(c.ExpiresAt)
	case changes.KindRemoveItems:
		return fmt.Sprintf("[%d..%d]", c.Index, c.End)
	case changes.KindSetElement, changes.KindRemoveElement, changes.KindPurgeElement:
		text = t.changedElement(c)
	}
	if !c.ExpiresAt.IsZero() {
		text += " until " + moment(c.ExpiresAt)
	}
	return text
}

func (t *tool) changedElement(c changes.Change) string {
	text := t.format.show(c.Element)
	if c.Type == typed.TypeList {
		text = "[" + strconv.FormatUint(c.Index, 10) + "]"
	}
	if c.Kind != changes.KindSetElement {
		return text
	}
	switch c.Type {
	case typed.TypeZSet:
		text += " = " + strconv.FormatFloat(c.Score, 'g', -1, 64)
	case typed.TypeHash, typed.TypeList:
		text += " = " + t.format.show(c.Value)
	}
	return text
}

// changeObject makes the JSON of a change. It has the members that the kind gives a
// meaning to.
func (t *tool) changeObject(c changes.Change) {
	j := t.out.object()
	j.Time("time", c.Time)
	if c.Keyspace != "" {
		j.Bytes("keyspace", []byte(c.Keyspace))
	}
	j.Text("kind", c.Kind.String())
	if c.Type != typed.TypeNone {
		j.Text("type", c.Type.String())
	}
	element := c.Kind == changes.KindSetElement || c.Kind == changes.KindRemoveElement || c.Kind == changes.KindPurgeElement
	switch c.Kind {
	case changes.KindMakeKeyspace, changes.KindDropKeyspace, changes.KindDropAll:
	case changes.KindDeleteRange:
		if c.Lower != nil {
			j.Bytes("from", c.Lower)
		}
		if c.Upper != nil {
			j.Bytes("to", c.Upper)
		}
	default:
		j.Bytes("key", c.Key)
	}
	switch {
	case c.Kind == changes.KindRename:
		j.Bytes("new_key", c.To)
	case c.Kind == changes.KindRemoveItems:
		j.Uint("index", c.Index)
		j.Uint("end", c.End)
	case element && c.Type == typed.TypeList:
		j.Uint("index", c.Index)
	case element:
		j.Bytes("element", c.Element)
	}
	set := c.Kind == changes.KindSetElement
	switch {
	case c.Kind == changes.KindPut, set && (c.Type == typed.TypeHash || c.Type == typed.TypeList):
		j.Bytes("value", c.Value)
	case set && c.Type == typed.TypeZSet:
		j.Float("score", c.Score)
	}
	j.Time("expires", c.ExpiresAt)
	j.Text("position", c.Position.String())
	j.Bool("last", c.Last)
}
