package collection

import "testing"

func TestAppendSuccessorIsTheLeastUpperBound(t *testing.T) {
	for prefix, want := range map[string]string{"\x01a": "\x01b", "\x01\xff": "\x02", "\x01a\xff\xff": "\x01b"} {
		if got := AppendSuccessor([]byte("x")[:0], []byte(prefix)); string(got) != want {
			t.Errorf("%q: %q", prefix, got)
		}
	}
}
