package main

import (
	"regexp"
	"sync"
)

// lazily is a regular expression that is compiled when it is first used: a
// process that is over in milliseconds needs few of them.
func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
