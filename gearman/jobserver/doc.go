// Package jobserver is a Gearman job server for one machine. It speaks the whole
// protocol, packets and admin text, as gearmand 1.1.20 does, so that clients and
// workers in any language cannot tell the two apart; whoever outgrows it gives
// them a gearmand's address and changes nothing else.
//
// Jobs are in memory and are lost with the process, unless the server has a Store
// for those in the background. Who may connect is decided by the listener: give
// it a loopback one.
//
// # Where it differs from gearmand
//
// The protocol is the file PROTOCOL of gearmand; what that leaves open is
// settled by what gearmand 1.1.20 was seen to do. The same conversations are had
// with both by this package's tests, which mark each line that differs. The
// differences, and why:
//
//   - A background submit that coalesces makes the job a background job, and a
//     foreground client that attaches to a background job and leaves takes
//     nothing away. In gearmand both jobs are lost.
//   - A foreground job whose last client leaves while it is queued, and a queued
//     job that is cancelled, are gone at once. gearmand keeps them, known and
//     counted, until a worker asks, and what is submitted meanwhile under the
//     same unique is lost with them.
//   - A client whose running job is cancelled gets WORK_FAIL and no result after
//     it; the worker finishes undisturbed.
//   - A job that a worker lost is put back before those that wait, not behind
//     them, and is not counted as running for ever after a timeout. A timeout
//     belongs to one job in one worker's hands (gearmand issue 301).
//   - A delayed job wakes workers when it is due, not when it is submitted, and
//     then is the newest of its queue. gearmand lets a worker sleep beside it.
//   - Every PRE_SLEEP is good for a NOOP, and so is a CAN_DO while asleep for a
//     function that has a job. gearmand, after a NOOP that led to no GRAB_JOB,
//     sends no other.
//   - GET_STATUS of a handle and GET_STATUS_UNIQUE of a unique of 64 bytes are
//     answered. gearmand says nothing, and the client waits for ever.
//   - A unique of 64 bytes reaches the worker whole; gearmand cuts it and puts a
//     NUL before the workload. A WORK_FAIL that stands for an exception has no
//     NUL behind the handle.
//   - A packet with too few arguments is answered with ERROR INVALID_PACKET and
//     ends the connection, where gearmand takes bytes of the next packet.
//   - SUBMIT_REDUCE_JOB is answered in the form the protocol documents.
//   - A request of HTTP ends the connection: the body of one that a web page has its
//     visitor's browser send would be taken for packets.
//   - A function announced twice by a worker counts once.
//   - drop function refuses a function that has queued jobs, which gearmand
//     forgets while it goes on counting them, and create function takes the whole
//     name of a line that ends in a bare newline.
//   - Lists are sorted: status by function, show by age, workers by connection,
//     with its number for the file descriptor.
//   - With a Store a background job keeps its handle over a restart, and no handle
//     is given out twice. gearmand counts from 1 again.
//   - Limits are the fields of Server: jobs past MaxJobs are refused as by
//     maxqueue, and a peer that does not read cannot make the server hold more
//     than MaxPending for it.
package jobserver
