package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"

	"revstamp/assets"
	"revstamp/stamp/atomicfile"
)

func newWatch(a *app) *cobra.Command {
	w := &watching{rewriting: rewriting{assetSite: assetSite{app: a}}}
	cmd := &cobra.Command{
		Use:   "watch [FILE | DIRECTORY | PATTERN]...",
		Short: "Rewrite references whenever an asset or a page changes",
		Long: `Watch does what "revstamp assets rewrite" does, and again a moment after anything
changes in the asset root or in a directory of documents, until it is interrupted.
A document that is being written is left until nobody has changed it for a moment.

It takes an inotify watch for each directory.`,
		Example: `  revstamp assets watch --root public --version digest`,
		RunE:    func(cmd *cobra.Command, args []string) error { return w.watch(cmd.Context(), args) },
	}
	w.flags(cmd)
	return cmd
}

// quiet is how long nothing must have changed before a look, and a document before
// it is rewritten: a program that writes a file in several steps takes less.
const quiet = 50 * time.Millisecond

// watching is the command assets watch. What inotify tells is taken as a sign that
// something has changed, and nothing else: what that is is found out by a walk, which
// needs no time when most is as it was. So nothing can be missed, be the events lost,
// merged or of a directory whose files came before its watch.
type watching struct {
	rewriting
	watcher *fsnotify.Watcher
	files   atomicfile.Options
	told    string   // the last thing that was wrong with all of it
	hidden  []string // the directories that were told of as those that cannot be read
}

func (w *watching) watch(ctx context.Context, args []string) (err error) {
	if w.watcher, err = fsnotify.NewWatcher(); err != nil {
		return limitError(err)
	}
	defer func() { err = errors.Join(err, w.watcher.Close()) }()
	list, end := w.temps(ctx)
	defer end()
	w.files = atomicfile.Options{Warn: func(msg string) { w.out.Warn("%s", msg) }}
	list.follow(&w.files)
	if w.lax {
		w.files.Owner = atomicfile.OwnerBestEffort
	}
	w.seen = w.add
	again, err := w.look(ctx, args)
	if err != nil {
		return w.over(ctx, err)
	}
	if err := w.begun(); err != nil {
		return err
	}
	for {
		if err := w.changed(ctx, again); err != nil {
			return w.over(ctx, err)
		}
		if again, err = w.look(ctx, args); err != nil {
			if limit := limitError(err); limit != err || ctx.Err() != nil {
				return w.over(ctx, limit)
			}
			w.complain(err)
			again = false
		}
	}
}

// over is the end: to be interrupted is none that is wrong.
func (w *watching) over(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return limitError(err)
}

// complain tells what keeps all of it from being looked at, as a configuration that
// is just being edited, once.
func (w *watching) complain(err error) {
	if err.Error() != w.told {
		w.told = err.Error()
		w.out.Warn("%v", err)
	}
}

func (w *watching) begun() error {
	result := map[string]any{"root": shown(w.root), "directories": len(w.watcher.WatchList())}
	return w.out.Result(result, func(to io.Writer) error {
		_, err := fmt.Fprintf(to, "watching %s\n", shown(w.root))
		return err
	})
}

// changed returns when something has changed and nothing has since for a moment, or
// with again after that moment. The changes that never end are looked at all the
// same, from time to time.
func (w *watching) changed(ctx context.Context, again bool) error {
	calm := time.NewTimer(quiet)
	defer calm.Stop()
	if !again {
		calm.Stop()
	}
	var last <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-calm.C:
			return nil
		case <-last:
			return nil
		case e, ok := <-w.watcher.Events:
			if !ok {
				return fsnotify.ErrClosed
			}
			// Each look writes to the lock of the ledger: it must be no reason for another.
			if e.Op == fsnotify.Chmod || strings.HasSuffix(e.Name, ".revstamp") || strings.HasPrefix(filepath.Base(e.Name), ".revstamp-") {
				continue
			}
		case err := <-w.watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return err
			}
		}
		calm.Reset(quiet)
		if last == nil {
			timer := time.NewTimer(10 * quiet)
			defer timer.Stop()
			last = timer.C
		}
	}
}

// look rewrites what has changed. It reports whether something is to be looked at
// again, because it is changing.
func (w *watching) look(ctx context.Context, args []string) (again bool, err error) {
	site, docs, err := w.prepare(ctx, args)
	if err != nil {
		return false, err
	}
	if err := w.directories(ctx, docs); err != nil {
		return false, err
	}
	all, err := w.rewrite(ctx, site, docs, &assets.InPlace{Files: w.files, Cache: w.openCache(site, args), Quiet: quiet})
	if err != nil {
		return false, err
	}
	w.told = ""
	return w.report(all)
}

// directories watches all below the root, and those of the documents. The documents
// have been found in directories that were watched before.
func (w *watching) directories(ctx context.Context, docs []assets.Document) error {
	for _, doc := range docs {
		if err := w.add(filepath.Dir(doc.Name)); err != nil {
			return err
		}
	}
	d := &documents{root: w.root, state: w.state, seen: w.add}
	return d.walk(ctx, w.root, func(string) bool { return false })
}

// add watches a directory. One that is gone is none.
func (w *watching) add(dir string) error {
	err := w.watcher.Add(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}

// report tells of the documents that were read.
func (w *watching) report(all []assets.Rewritten) (again bool, err error) {
	result := &rewriteResult{Changed: []string{}}
	for _, d := range all {
		switch {
		case d.Unquiet, errors.Is(d.Err, atomicfile.ErrChanged), errors.Is(d.Err, fs.ErrNotExist):
			again = true
			continue
		case d.Cached:
			continue
		}
		result.add(d)
		for _, err := range told(d.Err) {
			w.out.Warn("%v", err)
		}
	}
	if !slices.Equal(w.unread, w.hidden) {
		w.hidden, result.Unreadable = w.unread, w.newResult().Unreadable
	}
	if !w.strict {
		result.warn(w.app)
	}
	if len(result.Changed) == 0 {
		return again, nil
	}
	return again, w.out.Result(result, func(to io.Writer) error {
		names := result.Changed
		if len(names) > maxWarnings {
			names = append(names[:maxWarnings:maxWarnings], fmt.Sprintf("… and %d more", len(result.Changed)-maxWarnings))
		}
		_, err := fmt.Fprintf(to, "rewrote %s\n", strings.Join(names, ", "))
		return err
	})
}

// limitError says what to do about a limit of inotify, whose error numbers mean
// something else elsewhere.
func limitError(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return &inotifyError{err, "fs.inotify.max_user_watches"}
	case errors.Is(err, syscall.EMFILE):
		return &inotifyError{err, "fs.inotify.max_user_instances"}
	}
	return err
}

type inotifyError struct {
	err   error
	limit string
}

func (e *inotifyError) Error() string {
	return fmt.Sprintf("no more can be watched: the kernel's limit %s is reached", e.limit)
}

func (e *inotifyError) Unwrap() error { return e.err }

// Hint tells how to raise the limit.
func (e *inotifyError) Hint() string {
	hint := "raise it as root, as with: sysctl " + e.limit + "=524288"
	if now, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(e.limit, ".", "/")); err == nil {
		hint += " (it is " + strings.TrimSpace(string(now)) + ")"
	}
	return hint
}
