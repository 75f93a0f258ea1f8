package scripttest

import (
	"fmt"
	"strings"
)

// bulkCommands make and take many keys or elements, numbered from 000.
var bulkCommands = map[string]command{
	"fill": {"PREFIX COUNT [BYTES]", fill},
	"hfill": {"KEY COUNT", elements(func(c *call, name string, _ int) error {
		_, err := c.hash().Set(name, []byte("v"))
		return err
	})},
	"hdrain": {"KEY COUNT", elements(func(c *call, name string, _ int) error {
		_, err := c.hash().Remove(name)
		return err
	})},
	"sfill": {"KEY COUNT", elements(func(c *call, name string, _ int) error {
		_, err := c.set().Add(name)
		return err
	})},
	"zfill": {"KEY COUNT", elements(func(c *call, name string, i int) error {
		_, err := c.zset().Add(name, float64(i))
		return err
	})},
	"rfill": {"KEY COUNT", elements(func(c *call, name string, _ int) error {
		_, err := c.list().PushBack([]byte(name))
		return err
	})},
}

// elements is a command that adds, or removes, as many elements as its second argument says.
func elements(add func(c *call, name string, i int) error) func(c *call) (string, error) {
	return func(c *call) (string, error) {
		for i := range number[int](c.words[1]) {
			if err := add(c, fmt.Sprintf("e%03d", i), i); err != nil {
				return "", err
			}
		}
		return "", nil
	}
}

// fill puts numbered keys, with values of a size.
func fill(c *call) (string, error) {
	value := []byte("v")
	if len(c.words) > 2 {
		value = []byte(strings.Repeat("v", int(size(c.words[2]))))
	}
	for i := range number[int](c.words[1]) {
		if err := c.writer().Put(fmt.Appendf(nil, "%s%03d", c.words[0], i), value); err != nil {
			return "", err
		}
	}
	return "", nil
}
