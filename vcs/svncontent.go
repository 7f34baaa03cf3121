package vcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
)

// svnReaders is how many files the server is asked for at a time.
const svnReaders = 8

// svnContents are the contents of some files, in files without a name.
type svnContents struct {
	spools []*os.File
	files  map[string]svnContent // of those that the target has
}

// svnContent is where a file's content is.
type svnContent struct {
	spool    *os.File
	at, size int64
}

func (c *svnContents) Read(path string) ([]byte, error) {
	f, ok := c.files[path]
	if !ok {
		return nil, notThere(path)
	}
	data := make([]byte, f.size)
	if _, err := f.spool.ReadAt(data, f.at); err != nil {
		return nil, fmt.Errorf("content of %q: %w", path, err)
	}
	return data, nil
}

func (c *svnContents) Close() error {
	for _, spool := range c.spools {
		spool.Close() // private, and temporary
	}
	return nil
}

// Contents asks the server: a path may not be here yet, and one that is here may
// have another URL than its directory's. svn cat does not tell where the content of one
// file ends and that of the next begins, so that each has a process of its own.
func (w *svnCopy) Contents(ctx context.Context, t *Target, paths []string) (_ Contents, err error) {
	c := &svnContents{files: make(map[string]svnContent, len(paths))}
	if len(paths) == 0 {
		return c, nil
	}
	if err := w.server(ctx); err != nil {
		return nil, err
	}
	urls, err := w.targetURLs(ctx, t, paths)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	next := make(chan string, len(paths))
	for _, p := range paths {
		next <- p
	}
	close(next)
	var found sync.Mutex
	group, running := errgroup.WithContext(ctx)
	for range min(svnReaders, len(paths)) {
		spool, err := nameless()
		if err != nil {
			return nil, errors.Join(err, group.Wait())
		}
		c.spools = append(c.spools, spool)
		group.Go(func() error {
			for p := range next {
				f, err := w.cat(running, urls[p]+"@"+t.Revision.ID, spool)
				if absent(err) {
					continue
				}
				if err != nil {
					return err
				}
				found.Lock()
				c.files[p] = f
				found.Unlock()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return c, nil
}

// cat lets svn write a file's content to the end of spool.
func (w *svnCopy) cat(ctx context.Context, url string, spool *os.File) (svnContent, error) {
	at, err := spool.Seek(0, io.SeekCurrent)
	if err != nil {
		return svnContent{}, err
	}
	args, stdin := w.withLogin([]string{"cat", url})
	if err := w.client.stream(ctx, stdin, spool, nil, args...); err != nil {
		return svnContent{}, w.meant(err)
	}
	end, err := spool.Seek(0, io.SeekCurrent) // which svn has moved along
	return svnContent{spool: spool, at: at, size: end - at}, err
}

// targetURLs tells where the server has paths, which need not be here.
func (w *svnCopy) targetURLs(ctx context.Context, t *Target, paths []string) (map[string]string, error) {
	coming := make(map[string]bool)
	for _, c := range t.Changes {
		coming[c.Path] = c.Op == Added
	}
	top, err := w.info(ctx)
	if err != nil {
		return nil, err
	}
	urls := make(map[string]string, len(paths))
	var here []string
	for _, p := range paths {
		urls[p] = join(top.URL, p)
		if _, err := os.Lstat(filepath.Join(w.dir, filepath.FromSlash(p))); err == nil || !coming[p] {
			here = append(here, p)
		}
	}
	infos, err := w.known(ctx, here)
	for _, i := range infos {
		urls[i.Path] = i.URL
	}
	return urls, err
}

// known is infos of those paths that are under version control, which are most of them:
// svn tells nothing of any if there is one that it does not know.
func (w *svnCopy) known(ctx context.Context, paths []string) ([]svnInfo, error) {
	infos, err := w.infos(ctx, paths...)
	switch {
	case !absent(err):
		return infos, err
	case len(paths) == 1:
		return nil, nil
	}
	half := len(paths) / 2
	first, err := w.known(ctx, paths[:half])
	if err != nil {
		return nil, err
	}
	second, err := w.known(ctx, paths[half:])
	return append(first, second...), err
}
