package gearman

import (
	"errors"
	"fmt"
)

var (
	// ErrClientClosed is returned by the methods of a Client after Close.
	ErrClientClosed = errors.New("gearman client closed")

	// ErrNoServers says that Servers is empty.
	ErrNoServers = errors.New("no job servers")
)

// SafeToRetry reports whether err, returned by a method of Client, says that no
// byte of the request left this process, so that sending it again, to this job
// server or to another, cannot do it twice. It is false for nil.
func SafeToRetry(err error) bool {
	if err == nil {
		return false // the usual case, without an allocation
	}
	var unsent *unsentError
	return errors.As(err, &unsent)
}

// unsentError marks the error of a request of which no byte was written.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

// A ServerError is a job server's ERROR packet, or the ERR that answers an admin
// command.
type ServerError struct {
	Code string // QUEUE_ERROR, UNKNOWN_JOB, …; admin commands may have none
	Text string // the server's explanation, may be empty
}

// Error quotes code and text.
func (e *ServerError) Error() string {
	switch {
	case e.Text == "":
		return fmt.Sprintf("job server answered %q", e.Code)
	case e.Code == "":
		return fmt.Sprintf("job server answered %q", e.Text)
	}
	return fmt.Sprintf("job server answered %q: %q", e.Code, e.Text)
}

// A FailedError is the end of a foreground job by WORK_FAIL, which tells no
// reason.
type FailedError struct {
	Job      Job
	Function string
}

// Error names the job.
func (e *FailedError) Error() string {
	return fmt.Sprintf("job %s of %q on %s failed", e.Job.Handle, e.Function, e.Job.Server)
}

// An ExceptionError is the end of a job by WORK_EXCEPTION. Client.Do returns it
// with all fields set; a Handler returns one with Data to end its job so.
type ExceptionError struct {
	Job      Job
	Function string
	Data     []byte // what the worker said
}

// Error names the job and quotes Data.
func (e *ExceptionError) Error() string {
	if e.Job.Handle == "" {
		return fmt.Sprintf("exception %q", e.Data)
	}
	return fmt.Sprintf("job %s of %q on %s ended by exception %q", e.Job.Handle, e.Function, e.Job.Server, e.Data)
}

// A BatchError says which tasks of a SubmitAll were not acknowledged. It unwraps
// to one of the errors, one that is not SafeToRetry if there is such a one.
type BatchError struct {
	Errors []error // in the order of the tasks, nil where there is a Job
}

// Error counts the tasks and quotes the error it unwraps to.
func (e *BatchError) Error() string {
	failed := 0
	for _, err := range e.Errors {
		if err != nil {
			failed++
		}
	}
	return fmt.Sprintf("%d of %d tasks not submitted: %v", failed, len(e.Errors), e.Unwrap())
}

// Unwrap returns the first error that is not SafeToRetry, else the first.
func (e *BatchError) Unwrap() error {
	var first error
	for _, err := range e.Errors {
		if err != nil && !SafeToRetry(err) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// onServer says which job server an error is of.
type onServer struct {
	server string
	err    error
}

func (e *onServer) Error() string { return e.server + ": " + e.err.Error() }
func (e *onServer) Unwrap() error { return e.err }
