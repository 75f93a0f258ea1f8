package checkpoint

import (
	"testing"

	"github.com/siltstonedb/siltstone/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }
