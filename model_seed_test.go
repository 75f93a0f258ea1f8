package siltstone_test

import "testing"

// TestCollectionEndedUnderAnOlderRangeDeleteIsNominated: the elements lie under a
// tombstone that is older than they are, and the metadata row was zeroed.
func TestCollectionEndedUnderAnOlderRangeDeleteIsNominated(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a whole tape under every configuration")
	}
	checkTape(t, 1795214173350394916, 400)
}
