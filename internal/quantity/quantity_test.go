package quantity

import (
	"testing"
	"time"
)

func TestQuantitiesAreShort(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", -1023: "-1023 B", 1024: "1.0 KiB", -2048: "-2.0 KiB", 1536 << 10: "1.5 MiB",
		9 << 30: "9.0 GiB", 1 << 40: "1.0 TiB", 1<<63 - 1: "8192.0 PiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) is %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 125: "125ns", 1499: "1.499µs", 23_456: "23.5µs", 1023456: "1.02ms", 1234567890: "1.23s", 83*time.Second + 1: "1m23s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) is %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int]string{0: "0 tables", 1: "1 table", 2: "2 tables"} {
		if got := Count(n, "table"); got != want {
			t.Errorf("Count(%d) is %q, want %q", n, got, want)
		}
	}
}
