package assets

import (
	"context"
	"iter"
	"os"
	"runtime"
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
// context, which ends the sequence. read gets a document's content and may be
// called by several goroutines at once; nil reads the file called Name. Only a few
// documents are held in memory at a time. Writing is the caller's. No goroutine is
// left when the loop ends, however it ends.
func (s *Site) Files(ctx context.Context, docs []Document, read func(Document) ([]byte, error)) iter.Seq2[File, error] {
	if read == nil {
		read = func(d Document) ([]byte, error) { return os.ReadFile(d.Name) }
	}
	return func(yield func(File, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		workers := min(runtime.GOMAXPROCS(0), len(docs))
		work := make(chan *job)
		inOrder := make(chan *job, 4*workers)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		running.Go(func() {
			defer close(inOrder)
			defer close(work)
			for _, d := range docs {
				j := &job{file: File{Document: d}, done: make(chan struct{})}
				select {
				case inOrder <- j:
				case <-ctx.Done():
					return
				}
				select {
				case work <- j:
				case <-ctx.Done():
					j.finish(ctx.Err())
					return
				}
			}
		})
		for range workers {
			running.Go(func() {
				for j := range work {
					j.finish(s.file(&j.file, read))
				}
			})
		}
		for j := range inOrder {
			<-j.done
			if err := ctx.Err(); err != nil {
				yield(File{Document: j.file.Document}, err)
				return
			}
			if !yield(j.file, j.err) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(File{}, err)
		}
	}
}

// job is one document on its way through a worker.
type job struct {
	file File
	err  error
	done chan struct{}
}

func (j *job) finish(err error) {
	j.err = err
	close(j.done)
}

func (s *Site) file(f *File, read func(Document) ([]byte, error)) (err error) {
	if f.Source, err = read(f.Document); err != nil {
		return err
	}
	f.Result, err = s.Rewrite(f.Document, f.Source)
	return err
}
