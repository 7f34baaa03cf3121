package atomicfile

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// syncfsTells reports whether syncfs returns the errors of writing, as it does
// since Linux 5.8. Before that only fsync can be believed.
var syncfsTells = sync.OnceValue(func() bool {
	var name unix.Utsname
	return unix.Uname(&name) == nil && atLeast(unix.ByteSliceToString(name.Release[:]), 5, 8)
})

// atLeast reports whether a kernel release as "6.1.0-18-amd64" is not older
// than major.minor.
func atLeast(release string, major, minor int) bool {
	var x, y int
	if n, _ := fmt.Sscanf(release, "%d.%d", &x, &y); n < 2 {
		return false
	}
	return x > major || x == major && y >= minor
}
