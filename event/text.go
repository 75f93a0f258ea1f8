package event

import (
	"fmt"

	"github.com/siltstonedb/siltstone/internal/quantity"
)

// Name returns "flush ended".
func (FlushEnd) Name() string { return "flush ended" }

// Name returns "compaction ended".
func (CompactionEnd) Name() string { return "compaction ended" }

// Name returns "writers wait".
func (StallBegin) Name() string { return "writers wait" }

// Name returns "writers go on".
func (StallEnd) Name() string { return "writers go on" }

// Name returns "unfinished commit dropped".
func (TornTail) Name() string { return "unfinished commit dropped" }

// Name returns "logs replayed".
func (Recovered) Name() string { return "logs replayed" }

// Name returns "damage found".
func (Corruption) Name() string { return "damage found" }

// Name returns "file not removed".
func (RemoveFailed) Name() string { return "file not removed" }

// Name returns "no more writes".
func (Poisoned) Name() string { return "no more writes" }

// Name returns "write refused".
func (NoSpace) Name() string { return "write refused" }

// Name returns "slow sync".
func (SlowSync) Name() string { return "slow sync" }

// Name returns "ended collections deleted".
func (Reaped) Name() string { return "ended collections deleted" }

// Name returns "old reader".
func (OldReader) Name() string { return "old reader" }

func (e FlushEnd) String() string {
	if e.Err != nil {
		return fmt.Sprintf("flush failed: %v", e.Err)
	}
	return fmt.Sprintf("flush of %s: %s in %s", quantity.Count(e.Records, "record"), quantity.Count(e.Bytes, "byte"), quantity.Count(e.Tables, "table"))
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
	return fmt.Sprintf("%s to level %d: %s in, %d out in %s, %s gone",
		what, e.ToLevel, quantity.Count(e.BytesRead, "byte"), e.BytesWritten, quantity.Count(e.Tables, "table"), quantity.Count(e.Dropped, "record"))
}

func (e StallBegin) String() string { return "writers wait: " + e.Reason }
func (e StallEnd) String() string   { return "writers go on" }
func (e TornTail) String() string {
	return fmt.Sprintf("dropped %s of an unfinished commit after offset %d of %s", quantity.Count(e.Bytes, "byte"), e.Offset, e.File)
}
func (e Recovered) String() string {
	return fmt.Sprintf("replayed %s from %s", quantity.Count(e.Records, "record"), quantity.Count(e.Logs, "log"))
}
func (e Corruption) String() string { return fmt.Sprint(e.Err) }
func (e RemoveFailed) String() string {
	return fmt.Sprintf("%s, which is not needed any more, stays: %v", e.File, e.Err)
}
func (e Poisoned) String() string { return fmt.Sprintf("no more writes: %v", e.Err) }
func (e NoSpace) String() string  { return fmt.Sprintf("write refused: %v", e.Err) }
func (e SlowSync) String() string { return "slow sync of the log: " + e.Duration.String() }
func (e Reaped) String() string {
	return fmt.Sprintf("elements of %s deleted", quantity.Count(e.Collections, "ended collection"))
}
func (e OldReader) String() string {
	return "a snapshot, transaction or iterator has been open for " + quantity.Duration(e.Age)
}
