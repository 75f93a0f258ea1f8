package event

import "log/slog"

// group returns attributes as a group. A nil error is left out.
func group(err error, attrs ...slog.Attr) slog.Value {
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	return slog.GroupValue(attrs...)
}

// LogValue returns the fields as a group of attributes.
func (e FlushEnd) LogValue() slog.Value {
	return group(e.Err, slog.Int("tables", e.Tables), slog.Int64("records", e.Records),
		slog.Int64("bytes", e.Bytes), slog.Duration("took", e.Duration))
}

// LogValue returns the fields as a group of attributes.
func (e CompactionEnd) LogValue() slog.Value {
	return group(e.Err, slog.String("kind", e.Kind), slog.String("reason", e.Reason), slog.Any("from", e.From), slog.Int("to_level", e.ToLevel),
		slog.Int("tables", e.Tables), slog.Int64("read", e.BytesRead), slog.Int64("written", e.BytesWritten),
		slog.Int64("dropped", e.Dropped), slog.Duration("took", e.Duration))
}

// LogValue returns the fields as a group of attributes.
func (e StallBegin) LogValue() slog.Value { return slog.GroupValue(slog.String("reason", e.Reason)) }

// LogValue returns the fields as a group of attributes.
func (e StallEnd) LogValue() slog.Value { return slog.GroupValue(slog.Duration("took", e.Duration)) }

// LogValue returns the fields as a group of attributes.
func (e TornTail) LogValue() slog.Value {
	return slog.GroupValue(slog.String("file", e.File), slog.Int64("offset", e.Offset), slog.Int64("bytes", e.Bytes))
}

// LogValue returns the fields as a group of attributes.
func (e Recovered) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("logs", e.Logs), slog.Int64("records", e.Records), slog.Duration("took", e.Duration))
}

// LogValue returns the fields as a group of attributes.
func (e Corruption) LogValue() slog.Value { return group(e.Err) }

// LogValue returns the fields as a group of attributes.
func (e RemoveFailed) LogValue() slog.Value {
	return group(e.Err, slog.String("file", e.File))
}

// LogValue returns the fields as a group of attributes.
func (e Poisoned) LogValue() slog.Value { return group(e.Err) }

// LogValue returns the fields as a group of attributes.
func (e NoSpace) LogValue() slog.Value { return group(e.Err) }

// LogValue returns the fields as a group of attributes.
func (e SlowSync) LogValue() slog.Value { return slog.GroupValue(slog.Duration("took", e.Duration)) }

// LogValue returns the fields as a group of attributes.
func (e Reaped) LogValue() slog.Value {
	return slog.GroupValue(slog.Int64("collections", e.Collections))
}

// LogValue returns the fields as a group of attributes.
func (e OldReader) LogValue() slog.Value { return slog.GroupValue(slog.Duration("age", e.Age)) }
