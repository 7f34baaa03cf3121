package atomicfile

import "testing"

func TestBuffer(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 4095, 8 * 4096, 100_001, 1<<20 + 1} {
		b := Buffer(n)
		if len(b) != 0 || cap(b) != n {
			t.Errorf("Buffer(%d) has length %d and room for %d", n, len(b), cap(b))
		}
		for i, c := range b[:n] {
			if c != 0 {
				t.Fatalf("Buffer(%d)[%d] = %d", n, i, c)
			}
		}
	}
}
