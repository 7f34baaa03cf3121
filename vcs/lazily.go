package vcs

import (
	"regexp"
	"sync"
)

// lazily is a regular expression that is compiled when it is first used: most
// working copies need few of them, and compiling all takes a millisecond.
func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
