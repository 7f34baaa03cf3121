package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"

	"revstamp/gearman/jobserver"
)

var errRecord = errors.New("record is damaged")

// appendRecord appends the record of a job: its priority, one byte; the time it
// is due, a varint; its function, unique and reducer, each behind its length, a
// uvarint; and its workload.
func appendRecord(b []byte, job *jobserver.StoredJob) []byte {
	b = append(b, job.Priority)
	b = binary.AppendVarint(b, job.Due)
	for _, text := range []string{job.Function, job.Unique, job.Reducer} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return append(b, job.Workload...)
}

// decode reads a record, of which it keeps nothing.
func decode(key, record []byte) (job jobserver.StoredJob, err error) {
	if len(key) != 8 || len(record) == 0 {
		return job, errRecord
	}
	job.Number = binary.BigEndian.Uint64(key)
	job.Priority = record[0]
	due, n := binary.Varint(record[1:])
	if n <= 0 {
		return job, errRecord
	}
	job.Due = due
	rest := record[1+n:]
	for _, text := range []*string{&job.Function, &job.Unique, &job.Reducer} {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return job, errRecord
		}
		rest = rest[n:]
		*text, rest = string(rest[:size]), rest[size:]
	}
	job.Workload = bytes.Clone(rest)
	return job, nil
}
