package stamp

import (
	"regexp"
	"sync"
)

// lazily is a regular expression that is compiled when it is first used: whoever
// stamps one file needs few of them, and compiling all takes longer than that.
func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
