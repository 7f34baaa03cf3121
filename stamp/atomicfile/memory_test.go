package atomicfile

import (
	"slices"
	"testing"
)

func TestResident(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 4095, 8 * 4096, 100_001, 1<<20 + 1} {
		b := Resident[byte](n)
		if len(b) != n || slices.Max(append(b, 0)) != 0 {
			t.Errorf("Resident(%d) has length %d and, or, bytes that are not zero", n, len(b))
		}
		texts := Resident[struct{ a, b string }](n)
		if len(texts) != n || slices.ContainsFunc(texts, func(t struct{ a, b string }) bool { return t.a+t.b != "" }) {
			t.Errorf("Resident(%d) has length %d and, or, texts that are not empty", n, len(texts))
		}
	}
}

func TestPopulate(t *testing.T) {
	t.Parallel()
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = byte(i)
	}
	Populate(b[1 : len(b)-1])
	for i, c := range b {
		if c != byte(i) {
			t.Fatalf("byte %d became %d", i, c)
		}
	}
}
