package assets

import (
	"context"
	"iter"
)

// File is one document that Files has rewritten.
type File struct {
	Document
	Source []byte // as it was read
	*Result
}

// Files rewrites documents on all processors and yields them in their order,
// each with its own error. read gets a document's content and may be called by
// several goroutines at once; nil reads the file called Name. Only a few files
// are held in memory at a time, writing is the caller's, and all goroutines have
// ended when the loop has.
func (s *Site) Files(ctx context.Context, docs []Document, read func(Document) ([]byte, error)) iter.Seq2[File, error] {
	return nil
}
