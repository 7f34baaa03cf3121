package assets

import (
	"context"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"sync"
)

// File is one document that Files has rewritten.
type File struct {
	Document
	Source  []byte // as it was read
	*Result        // nil when there is none, as Rewrite says
}

// Files rewrites documents on all processors and yields them in their order,
// each with its own error: that of reading it, that of Rewrite, or that of the
// context, which ends the sequence. Writing is the caller's. Only a few documents
// are held in memory at a time, and no goroutine is left when the loop ends,
// however it ends.
//
// read gets a document's content and may be called by several goroutines at once.
// With a nil read, the file called Name is read, into memory that is used again:
// then Source, and Out if it is the same, are valid up to the next iteration.
func (s *Site) Files(ctx context.Context, docs []Document, read func(Document) ([]byte, error)) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()

		workers := min(runtime.GOMAXPROCS(0), len(docs))
		jobs := &sync.Pool{New: func() any { return &job{done: make(chan error, 1)} }}
		work, inOrder := make(chan *job), make(chan *job, 4*workers)
		running.Go(func() { feed(ctx, docs, jobs, inOrder, work) })
		for range workers {
			running.Go(func() {
				for j := range work {
					j.done <- s.file(j, read)
				}
			})
		}
		for j := range inOrder {
			err := <-j.done
			if ctx.Err() != nil {
				yield(File{Document: j.file.Document}, ctx.Err())
				return
			}
			if !yield(j.file, err) {
				return
			}
			jobs.Put(j)
		}
		if err := ctx.Err(); err != nil {
			yield(File{}, err)
		}
	}
}

// feed makes a job of each document and sends it to both channels, which it
// closes at the end. Every job that is sent in order gets a value on its done
// channel.
func feed(ctx context.Context, docs []Document, jobs *sync.Pool, inOrder, work chan<- *job) {
	defer close(inOrder)
	defer close(work)
	for _, d := range docs {
		j := jobs.Get().(*job)
		j.file = File{Document: d}
		select {
		case inOrder <- j:
		case <-ctx.Done():
			return
		}
		select {
		case work <- j:
		case <-ctx.Done():
			j.done <- ctx.Err()
			return
		}
	}
}

// job is one document on its way through a worker.
type job struct {
	file   File
	buffer []byte     // for its content
	done   chan error // gets one value
}

// maxBuffer is the largest buffer that is kept for another file.
const maxBuffer = 1 << 20

func (s *Site) file(j *job, read func(Document) ([]byte, error)) (err error) {
	f := &j.file
	if read != nil {
		f.Source, err = read(f.Document)
	} else {
		f.Source, err = readInto(j.buffer, f.Name)
		if err == nil && cap(f.Source) <= maxBuffer {
			j.buffer = f.Source
		}
	}
	if err == nil {
		f.Result, err = s.Rewrite(f.Document, f.Source)
	}
	return err
}

// readInto reads a file into buf, or into a larger one.
func readInto(buf []byte, name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// One byte more than the file has, so that its end is seen without growing.
	return readAllInto(slices.Grow(buf[:0], int(info.Size())+1), f)
}

// readAllInto reads f to its end into buf, or into a larger one.
func readAllInto(buf []byte, f io.Reader) ([]byte, error) {
	for buf = buf[:0]; ; {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
		buf = slices.Grow(buf, 1)
	}
}
