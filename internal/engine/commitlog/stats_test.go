package commitlog

import (
	"testing"
	"time"
)

func TestLatenciesFallIntoBucketsOfPowersOfTwo(t *testing.T) {
	var l Latency
	for d, bucket := range map[time.Duration]int{
		-1: 0, 999: 0, time.Microsecond: 1, 2 * time.Microsecond: 2, 3 * time.Microsecond: 2,
		time.Millisecond: 10, 100 * time.Hour: LatencyBuckets - 1,
	} {
		before := l.Buckets[bucket]
		l.Add(d)
		if l.Buckets[bucket] != before+1 {
			t.Errorf("%v is not in bucket %d: %v", d, bucket, l.Buckets)
		}
	}
	if l.Count != 7 || l.Max != 100*time.Hour {
		t.Errorf("%+v", l)
	}
}
