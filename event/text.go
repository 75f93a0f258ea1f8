package event

import (
	"fmt"

	"github.com/siltstonedb/siltstone/internal/quantity"
)

func (e FlushEnd) String() string {
	if e.Err != nil {
		return fmt.Sprintf("flush failed: %v", e.Err)
	}
	return fmt.Sprintf("flush of %d records: %d bytes in %s", e.Records, e.Bytes, quantity.Count(e.Tables, "table"))
}

func (e CompactionEnd) String() string {
	from := 0
	for _, n := range e.From {
		from += n
	}
	what := fmt.Sprintf("%s of %s (%s)", e.Kind, quantity.Count(from, "table"), e.Reason)
	switch {
	case e.Err != nil:
		return fmt.Sprintf("%s failed: %v", what, e.Err)
	case e.Kind == "drop":
		return what
	case e.Kind == "move":
		return fmt.Sprintf("%s to level %d", what, e.ToLevel)
	}
	return fmt.Sprintf("%s to level %d: %d bytes in, %d out in %s, %d records gone",
		what, e.ToLevel, e.BytesRead, e.BytesWritten, quantity.Count(e.Tables, "table"), e.Dropped)
}

func (e StallBegin) String() string { return "writers wait: " + e.Reason }
func (e StallEnd) String() string   { return "writers go on" }
func (e TornTail) String() string {
	return fmt.Sprintf("dropped %d bytes of an unfinished commit behind offset %d of %s", e.Bytes, e.Offset, e.File)
}
func (e Recovered) String() string {
	return fmt.Sprintf("replayed %d records from %d logs", e.Records, e.Logs)
}
func (e Corruption) String() string { return fmt.Sprint(e.Err) }
func (e RemoveFailed) String() string {
	return fmt.Sprintf("%s, which is not needed any more, stays: %v", e.File, e.Err)
}
func (e Poisoned) String() string { return fmt.Sprintf("no more writes: %v", e.Err) }
func (e NoSpace) String() string  { return fmt.Sprintf("write refused: %v", e.Err) }
func (e SlowSync) String() string { return "slow sync of the log: " + e.Duration.String() }
func (e Reaped) String() string {
	return fmt.Sprintf("elements of %d ended collections deleted", e.Collections)
}
