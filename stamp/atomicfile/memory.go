package atomicfile

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Buffer returns an empty slice with room for n bytes, for a whole file. Its
// memory is there at once, and not page by page as it is touched: on virtual
// machines that alone takes longer than to read, or to write, what is put there.
func Buffer(n int) []byte {
	b := make([]byte, n)
	page := os.Getpagesize()
	from := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (page - 1) // to the first whole page
	if pages := (n - from) / page * page; pages >= 8*page {
		// Kernels before 5.14 do not know how, and then it comes as it is touched.
		_ = unix.Madvise(b[from:from+pages], unix.MADV_POPULATE_WRITE)
	}
	return b[:0]
}
