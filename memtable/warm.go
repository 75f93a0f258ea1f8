package memtable

// WarmKeys is how many keys are worth warming at once: what is loaded for them
// still lies in the first cache when the last is added.
const WarmKeys = 128

// Warm loads what adding records of keys with these hashes begins with: the line
// of the hash index that a key is searched in, and the node if it has one. They
// lie anywhere in some megabytes, so that one key after the other waits for
// memory; asked for together they arrive together. It changes nothing and may be
// called at any time; it is worth its cost for more than a few keys.
func (t *Table) Warm(hashes []uint64) {
	h := t.index.table.Load()
	var sum uint64
	for _, hash := range hashes {
		sum += h.slots[h.home(uint32(hash>>32))].Load()
	}
	for _, hash := range hashes {
		if node := h.guess(uint32(hash >> 32)); node != 0 {
			sum += uint64(*t.arena.word(node, nodeKeyLen))
		}
	}
	sink(sum)
}

// guess returns the first node in the tag's line that has this tag, 0 if none
// has.
func (h *hashTable) guess(tag uint32) uint32 {
	at := h.home(tag)
	for i := range h.slots[at : at+lineSlots] {
		v := h.slots[int(at)+i].Load()
		if uint32(v>>32) == tag || v == 0 {
			return uint32(v)
		}
	}
	return 0
}
