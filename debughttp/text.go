package debughttp

import (
	"fmt"
	"reflect"

	"github.com/siltstonedb/siltstone/internal/quantity"
)

// share returns the part of whole that n is, in percent.
func share(n, whole int64) int64 {
	if whole <= 0 {
		return 0
	}
	return min(100, n*100/whole)
}

// percent returns a share from 0 to 1 in percent.
func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// count returns n, an integer of any type, and its noun.
func count(n any, noun string) string { return quantity.Count(reflect.ValueOf(n).Int(), noun) }
