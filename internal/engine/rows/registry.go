package rows

import "github.com/siltstonedb/siltstone/internal/keyenc"

// Registry calls fn with the name and value of every registry row of a view.
func Registry(src *Source, v View, fn func(name string, value []byte) error) error {
	lo, hi := keyenc.RegistryRange()
	it, err := New(src, v, lo, hi, false)
	if err != nil {
		return src.States.ReadError(err)
	}
	defer it.Release()
	for ok := it.First(); ok; ok = it.Next() {
		if err := fn(string(it.key[len(lo):]), it.value); err != nil {
			return err
		}
	}
	return it.err
}
