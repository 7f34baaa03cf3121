package gearman

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// mayRest reports, to who reads and with mu held, whether nobody needs to.
func (s *stream) mayRest() bool {
	return s.raw != nil && s.err == nil && s.reader.Buffered() == 0 && s.quiet()
}

// rest returns when the reading goroutine is to read again.
func (s *stream) rest() {
	t := time.NewTimer(restLimit)
	defer t.Stop()
	for {
		select {
		case <-s.back:
			return
		case <-t.C:
		}
		s.mu.Lock()
		over := s.vacant && time.Since(s.since) >= restLimit
		if over {
			s.vacant = false
		}
		s.mu.Unlock()
		if over {
			return
		}
		t.Reset(restLimit)
	}
}

// recall has the reading goroutine read, if nobody does. mu is held.
func (s *stream) recall() {
	if s.vacant {
		s.vacant = false
		s.back <- struct{}{}
	}
}

// hungUp reports whether the peer has closed the connection and all that it sent
// before is read from it.
func (s *stream) hungUp() (yes bool) {
	err := s.raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		yes = n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return yes || err != nil
}

// A visit is the right to read, of a caller who is alone.
type visit struct {
	s      *stream
	kicked bool // its context is done; guarded by mu
}

// read reads until until says so, ctx is done or the stream fails, and then gives
// the right back.
func (v *visit) read(ctx context.Context, until func() bool) {
	s := v.s
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, v.kick)()
	}
	var err error
	for err == nil && !until() {
		err = s.next()
	}
	if err != nil && !v.over(err) {
		s.fail(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guest, s.vacant = nil, true
	if !s.mayRest() {
		s.recall()
	}
}

// over reports whether err says no more than that v was kicked.
func (v *visit) over(err error) bool {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return v.kicked && errors.Is(err, os.ErrDeadlineExceeded)
}

// kick ends the read that v is waiting in.
func (v *visit) kick() {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	if v.s.guest == v {
		v.kicked = true
		v.s.arm(time.Unix(1, 0))
	}
}
