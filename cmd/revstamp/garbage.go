package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// collectLater keeps the garbage collector from running before there are 16 MB
// to look through, which few commands ever take: it would cost a release with
// nothing to do more than it gives back. From the first collection on, and
// where GOGC is set, everything is as Go has it.
func collectLater() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(400) // of 4 MB, see runtime.heapMinimum
	sentinel := new([4]*byte)
	runtime.AddCleanup(sentinel, func(percent int) { debug.SetGCPercent(percent) }, 100)
}
