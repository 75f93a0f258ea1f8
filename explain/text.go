package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/internal/quantity"
)

// String returns the sources as lines, newest first, with an arrow at the one that
// decides, and the verdict. Keys are quoted. Its form may change.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "key %q", e.Key)
	if e.Keyspace != "" {
		fmt.Fprintf(&b, " of keyspace %q", e.Keyspace)
	}
	fmt.Fprintf(&b, " at sequence %d, %s\n", e.Seq, stamp(e.Now))
	for _, s := range e.Sources {
		s.write(&b)
	}
	fmt.Fprintf(&b, "=> %v\n", e.Verdict)
	return b.String()
}

func (s Source) write(b *strings.Builder) {
	mark := "  "
	if s.Decides {
		mark = "->"
	}
	fmt.Fprintf(b, "%s %s\n", mark, s.Name)
	if s.Skipped != "" {
		fmt.Fprintf(b, "     %s\n", s.Skipped)
	} else if len(s.Versions) == 0 {
		b.WriteString("     no version\n")
	}
	for _, seq := range s.RangeDels {
		fmt.Fprintf(b, "     range delete, sequence %d\n", seq)
	}
	if older := s.Covered - len(s.RangeDels); older > 0 {
		fmt.Fprintf(b, "     %d older range deletes\n", older)
	}
	for _, v := range s.Versions {
		fmt.Fprintf(b, "     %v\n", v)
	}
	if s.More {
		b.WriteString("     older versions\n")
	}
}

// String returns the version as one line.
func (v Version) String() string {
	at := fmt.Sprintf("sequence %d", v.Seq)
	if v.Seq == 0 {
		at = "older than every reader"
	}
	if v.Delete {
		return "delete, " + at
	}
	text := fmt.Sprintf("put, %s: %s of %d bytes", at, v.Type, v.Bytes)
	if !v.Expiry.IsZero() {
		text += ", expires " + stamp(v.Expiry)
	}
	return text
}

// String returns the verdict as one line.
func (d Verdict) String() string {
	var text string
	switch {
	case d.Source == "":
		return "absent: never written, or deleted and forgotten"
	case d.Present && d.Expiry.IsZero():
		text = fmt.Sprintf("present: %s of %d bytes, does not expire", d.Type, d.Bytes)
	case d.Present:
		text = fmt.Sprintf("present: %s of %d bytes, lives for %v", d.Type, d.Bytes, d.TTL)
	case d.Reason == "expired":
		text = fmt.Sprintf("absent: %s expired at %s", d.Type, stamp(d.Expiry))
	default:
		text = fmt.Sprintf("absent: %s at sequence %d", d.Reason, d.Seq)
	}
	if d.Collection != nil {
		text += fmt.Sprintf(", %v", *d.Collection)
	}
	return text + " (" + d.Source + ")"
}

// String returns the collection as one line.
func (c Collection) String() string {
	if c.Inline {
		return fmt.Sprintf("%d elements inline", c.Elements)
	}
	text := fmt.Sprintf("%d elements of %s in rows of id %d", c.Elements, quantity.Bytes(int64(c.Bytes)), c.ID)
	if !c.NextDue.IsZero() {
		text += ", next due " + stamp(c.NextDue)
	}
	return text
}

// stamp returns a time to the millisecond, the resolution of the store's clock.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
