package index

import (
	"errors"
	"path"
	"strconv"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// remove takes a package out of the index, with its share of what is counted
// over all packages. The list of recent files keeps its history.
func remove(tx *siltstone.Tx, dir string) error {
	stats := tx.Hash(StatsPrefix + dir)
	if exists, err := stats.Exists(); err != nil || !exists {
		return err
	}
	for _, write := range []func(*siltstone.Tx, string) error{
		removeFiles, removeCounts, removeIdentifiers,
	} {
		if err := write(tx, dir); err != nil {
			return err
		}
	}
	_, err := tx.Keys().Drop(StatsPrefix+dir, DigestsPrefix+dir, ImportsPrefix+dir, IdentifiersPrefix+dir)
	return err
}

func removeFiles(tx *siltstone.Tx, dir string) error {
	for name, err := range tx.Hash(DigestsPrefix + dir).Fields() {
		if err != nil {
			return err
		}
		file := path.Join(dir, name)
		if err := tx.Delete(FileKey(file)); err != nil {
			return err
		}
		if err := tx.DeleteRange(FileLines(file)); err != nil {
			return err
		}
	}
	return nil
}

func removeCounts(tx *siltstone.Tx, dir string) error {
	totals := tx.Hash(TotalsKey)
	stats, err := Counts(tx, StatsPrefix+dir)
	if err != nil {
		return err
	}
	for name, n := range stats {
		if name == CountIdentifiers {
			continue // was not added
		}
		if _, err := totals.Incr(name, -n); err != nil {
			return err
		}
	}
	_, err = totals.Incr(CountPackages, -1)
	return err
}

func removeIdentifiers(tx *siltstone.Tx, dir string) error {
	all := tx.ZSet(IdentifiersKey)
	for m, err := range tx.ZSet(IdentifiersPrefix + dir).Range(typed.ByRank(0, -1)) {
		if err != nil {
			return err
		}
		left, err := all.Incr(m.Name, -m.Score)
		if err != nil {
			return err
		}
		if left > 0 {
			continue
		}
		if _, err := all.Remove(m.Name); err != nil {
			return err
		}
	}
	return nil
}

// Counts reads a hash of numbers; one that does not exist has none.
func Counts(v View, key string) (map[string]int64, error) {
	n := map[string]int64{}
	for f, err := range v.Hash(key).All() {
		if err != nil {
			return nil, err
		}
		i, err := strconv.ParseInt(string(f.Value), 10, 64)
		if err != nil {
			return nil, errors.Join(errors.New(key+": "+f.Name), err)
		}
		n[f.Name] = i
	}
	return n, nil
}
