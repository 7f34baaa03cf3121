package boltstore

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/gearman/jobserver"
)

// No record makes decode panic, and what it reads is written and read alike.
func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, &jobserver.StoredJob{Number: 1}))
	f.Add(appendRecord(nil, &jobserver.StoredJob{
		Priority: 2, Due: 1 << 40, Function: "f", Unique: "u", Reducer: "r", Workload: []byte("work"),
	}))
	f.Add([]byte("\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, record []byte) {
		job, err := decode(key(7), record)
		if err != nil {
			return
		}
		if end := len(record) - len(job.Workload); !bytes.Equal(record[end:], job.Workload) {
			t.Errorf("%q: workload %q", record, job.Workload)
		}
		again, err := decode(key(7), appendRecord(nil, &job))
		if diff := cmp.Diff(job, again); err != nil || diff != "" {
			t.Errorf("%q: %v (-first +second):\n%s", record, err, diff)
		}
	})
}
