package jobserver

// A Store keeps the background jobs of one Server where they outlive it. The
// package boltstore has one in a file.
//
// A server calls Load once and then Apply, never two at a time.
type Store interface {
	// Load calls each for every job that is kept, in the order of their numbers,
	// and returns what Changes.Reserved was last, zero for a new store. It ends
	// with the first error of each, and returns that.
	Load(each func(StoredJob) error) (reserved uint64, err error)

	// Apply makes all of these changes or none, first what is put, then what is
	// removed, and returns nil when they would survive the end of the machine.
	// After an error the store is as it was, and may be tried again. It keeps
	// nothing of c.
	Apply(c *Changes) error
}

// Changes are what a Store is to change at once.
type Changes struct {
	Put    []StoredJob // in the order of their numbers, which are new
	Remove []uint64    // numbers; those that are not kept are no error

	// Reserved, unless it is zero, is the number that no job's exceeds.
	Reserved uint64
}

// A StoredJob is a background job as a Store keeps it.
type StoredJob struct {
	Number   uint64 // the handle's
	Priority uint8  // 0 is high, 1 normal, 2 low
	Due      int64  // Unix time before which it is not done; zero or past: at once
	Function string
	Unique   string
	Reducer  string
	Workload []byte
}
