package atomicfile

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Resident returns n zero values, for a whole file or for something of each of many
// files. Their memory is there at once, and not page by page as it is touched: on
// virtual machines that alone can take longer than what is done with it.
func Resident[T any](n int) []T {
	s := make([]T, n)
	Populate(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), uintptr(n)*unsafe.Sizeof(*new(T))))
	return s
}

// Populate has all of the memory of b there at once, as Resident does. It changes no
// byte, and does nothing for less than some pages.
func Populate(b []byte) {
	page := os.Getpagesize()
	from := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (page - 1) // to the first whole page
	if pages := (len(b) - from) / page * page; pages >= 8*page {
		// Kernels before 5.14 do not know how, and then it comes as it is touched.
		_ = unix.Madvise(b[from:from+pages], unix.MADV_POPULATE_WRITE)
	}
}
