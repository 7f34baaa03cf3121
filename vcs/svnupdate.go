package vcs

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Update lets svn write the files, each by a rename, with our edits merged by
// svnMerge. What is written over is written by Update.Write before: svn finds the
// repository's content there, or the target's with our edit, and takes it for that.
func (w *svnCopy) Update(ctx context.Context, t *Target, u Update) error {
	if err := w.server(ctx); err != nil {
		return err
	}
	st, err := w.status(ctx)
	if err != nil {
		return err
	}
	if st.interrupted {
		if !u.Resume {
			return &LockedError{System: "svn", Path: w.dir, Interrupted: true}
		}
		if _, err := w.svn(ctx, "cleanup", "."); err != nil {
			return err
		}
		if st, err = w.status(ctx); err != nil {
			return err
		}
	}
	l, err := w.judge(ctx, st, u.Own, nil)
	if err != nil {
		return err
	}
	if err := l.unable(); err != nil {
		return err
	}
	if u.Resume { // the plan was made in the middle of things
		if t, _, err = w.resolve(ctx, t.Revision.ID); err != nil {
			return err
		}
	}
	over, err := decide(l.foreign, u.Local, t.Changes)
	if err != nil {
		return err
	}
	force, err := w.inTheWay(ctx, t, u.Own)
	if err != nil {
		return err
	}
	if err := w.writable(t); err != nil {
		return err
	}
	// All texts first: what cannot be edited must not be found out between two files.
	writes, edited, err := w.overwriting(ctx, t, u, l, over)
	if err != nil {
		return err
	}
	merge, err := w.newMerge(ctx, t, u, slices.Concat(l.own, slices.Collect(maps.Keys(edited))))
	if err != nil {
		return err
	}
	defer merge.close()
	if len(over) == 0 {
		return w.update(ctx, t, u, l, merge, force)
	}
	if u.Write == nil {
		return errNoSvnWrite
	}
	if err := u.Write(ctx, writes); err != nil {
		return err
	}
	err = w.updateRest(ctx, t, u, edited, merge, force)
	var interrupted *InterruptedError
	if err != nil && !errors.As(err, &interrupted) {
		err = &InterruptedError{Target: t.Revision.ID, Err: err}
	}
	return err
}

// writable refuses an update to t in which svn would come upon a directory where it
// must not write: it would stop there, between two files. Somebody ran it as root, say,
// and what it made then is root's.
func (w *svnCopy) writable(t *Target) error {
	meta := filepath.Join(w.dir, ".svn")
	stores, err := filepath.Glob(filepath.Join(meta, "pristine", "*"))
	if err != nil {
		return err
	}
	dirs := append(stores, filepath.Join(meta, "wc.db"), filepath.Join(meta, "tmp"), filepath.Join(meta, "pristine"), meta)
	seen := make(map[string]bool)
	for _, c := range t.Changes {
		dir := filepath.Dir(filepath.Join(w.dir, filepath.FromSlash(c.Path)))
		for !seen[dir] && dir != w.dir {
			seen[dir] = true
			if _, err := os.Lstat(dir); err == nil {
				dirs = append(dirs, dir)
				break
			}
			dir = filepath.Dir(dir) // it is yet to be made
		}
	}
	if len(t.Changes) > 0 {
		dirs = append(dirs, w.dir)
	}
	for _, dir := range dirs {
		if err := unix.Access(dir, unix.W_OK); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &fs.PathError{Op: "write", Path: dir, Err: err}
		}
	}
	return nil
}

var errNoSvnWrite = errors.New("svn update: no Update.Write to write files with")

// updateRest updates when nothing is left to be written over. edited are texts that
// have just been put there.
func (w *svnCopy) updateRest(ctx context.Context, t *Target, u Update, edited map[string][]byte, merge *svnMerge, force bool) error {
	st, err := w.status(ctx)
	if err != nil {
		return err
	}
	own := func(path string, base, got []byte) bool {
		text, ok := edited[path]
		return ok && bytes.Equal(text, got) || u.Own != nil && u.Own(path, base, got)
	}
	l, err := w.judge(ctx, st, own, nil)
	if err != nil {
		return err
	}
	if err := refuseLocal(unkept(l.foreign, u.Local)); err != nil {
		return err
	}
	return w.update(ctx, t, u, l, merge, force)
}

// overwriting are the writes that put the repository's content into files with
// foreign changes: that of the target, where it is edited, for visitors must not see
// it before that is done, and svn will merge it with itself; else what svn expects to
// find. edited are the edited texts, by path.
func (w *svnCopy) overwriting(ctx context.Context, t *Target, u Update, l *svnLocal, paths []string) (writes []Write, edited map[string][]byte, err error) {
	ops := make(map[string]Op)
	for _, c := range t.Changes {
		ops[c.Path] = c.Op
	}
	edited = make(map[string][]byte)
	for _, c := range l.foreign {
		if !slices.Contains(paths, c.path) {
			continue
		}
		content := c.base
		if u.Edit != nil && ops[c.path] != Deleted {
			theirs := c.base
			if ops[c.path] == Changed {
				if theirs, err = w.Read(ctx, t, c.path); err != nil {
					return nil, nil, err
				}
			}
			text, err := u.Edit(c.path, theirs)
			if err != nil {
				return nil, nil, err
			}
			if !bytes.Equal(text, theirs) {
				content, edited[c.path] = text, text
			}
		}
		mode := c.perm
		if info, err := os.Stat(filepath.Join(w.dir, filepath.FromSlash(c.path))); err == nil {
			mode = info.Mode().Perm()
		}
		writes = append(writes, Write{Path: c.path, Mode: mode, Content: func() ([]byte, error) { return content, nil }})
	}
	return writes, edited, nil
}

func (w *svnCopy) update(ctx context.Context, t *Target, u Update, l *svnLocal, merge *svnMerge, force bool) error {
	if err := w.takeBack(ctx, t, u, l.own); err != nil {
		return err
	}
	args := []string{"update", "--quiet", "-r", t.Revision.ID, "--accept", "postpone", "--ignore-externals"}
	if force {
		args = append(args, "--force")
	}
	if _, err := w.svn(ctx, append(args, "--diff3-cmd", merge.program, ".")...); err != nil {
		return &InterruptedError{Target: t.Revision.ID, Err: err}
	}
	for _, c := range t.Changes {
		delete(l.bases, c.Path)
	}
	return w.confirm(ctx, t, u, l.bases)
}

// takeBack puts the repository's content into the files with an edit of ours
// that upstream deletes: an edited one svn would keep, in conflict.
func (w *svnCopy) takeBack(ctx context.Context, t *Target, u Update, own []string) error {
	var gone []string
	for _, c := range t.Changes {
		if c.Op == Deleted && slices.Contains(own, c.Path) {
			gone = append(gone, c.Path)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if u.Write == nil {
		return errNoSvnWrite
	}
	bases, err := w.bases(ctx, gone)
	if err != nil {
		return err
	}
	var writes []Write
	for _, path := range gone {
		info, err := os.Stat(filepath.Join(w.dir, filepath.FromSlash(path)))
		if err != nil {
			return err
		}
		writes = append(writes, Write{Path: path, Mode: info.Mode().Perm(),
			Content: func() ([]byte, error) { return bases[path], nil }})
	}
	return u.Write(ctx, writes)
}

// confirm looks again, as at the beginning: svn ends with status 0 when it
// leaves conflicts. same are contents that the update left as they were.
func (w *svnCopy) confirm(ctx context.Context, t *Target, u Update, same map[string][]byte) error {
	st, s, err := w.look(ctx)
	if err != nil {
		return err
	}
	if st.interrupted {
		return &InterruptedError{Target: t.Revision.ID, Err: errors.New("svn left the working copy locked or incomplete")}
	}
	l, err := w.judge(ctx, st, u.Own, same)
	if err != nil {
		return err
	}
	if err = l.unable(); err == nil {
		err = refuseLocal(unkept(l.foreign, u.Local))
	}
	if err != nil {
		return fmt.Errorf("after the update: %w", err)
	}
	if s.low != s.high || strconv.FormatInt(s.high, 10) != t.Revision.ID {
		return fmt.Errorf("after the update the working copy is at %s, not at %s", s.String(false), t.Revision.ID)
	}
	return nil
}

// svnMerge gives svn the content of each file that carries an edit of ours and
// that upstream changed: the new content with the edit in it, made before svn
// starts. svn would merge the two itself, with conflict markers in the live file
// when the changed lines are near; a file put there first would still be merged.
// But svn takes whatever a --diff3-cmd program answers, and installs that by a
// rename from .svn/tmp, so that no reader sees anything else.
//
// The program is told three files, the last being the new text in svn's store,
// .svn/pristine/<2>/<sha1>.svn-base: its name says which answer is wanted. Where
// there is none (somebody edits a file at this moment) it fails, upon which svn
// stops with the file as it was.
type svnMerge struct {
	dir     string
	program string
}

// mergeScript answers from its own directory. Status 2 is trouble in diff3's
// terms; status 1, which cat has, would be a conflict.
const mergeScript = `#!/bin/sh
for theirs; do :; done
name=${theirs##*/}
cat "${0%/*}/${name%.svn-base}" || exit 2
`

func (w *svnCopy) newMerge(ctx context.Context, t *Target, u Update, own []string) (_ *svnMerge, err error) {
	dir, err := os.MkdirTemp("", "revstamp-")
	if err != nil {
		return nil, err
	}
	m := &svnMerge{dir: dir, program: filepath.Join(dir, "merge")}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	var paths []string
	for _, c := range t.Changes {
		if c.Op == Changed && slices.Contains(own, c.Path) {
			paths = append(paths, c.Path)
		}
	}
	props, err := w.properties(ctx, paths)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		// svn does not merge what it is told is binary.
		if mime := props[path]["svn:mime-type"]; mime != "" && !strings.HasPrefix(mime, "text/") {
			return nil, &UnsupportedError{System: "svn", Feature: "svn:mime-type " + mime + " on the edited file " + path}
		}
	}
	infos, err := w.infos(ctx, paths...)
	if err != nil {
		return nil, err
	}
	for _, i := range infos {
		if err := w.prepareMerge(ctx, m, t, u, i); err != nil {
			return nil, err
		}
	}
	return m, os.WriteFile(m.program, []byte(mergeScript), 0o700)
}

func (m *svnMerge) close() { os.RemoveAll(m.dir) } // private, and temporary

// prepareMerge makes the answer for one file. The text is the repository's,
// keywords not expanded, as svn's store has it; svn expands them in the answer.
func (w *svnCopy) prepareMerge(ctx context.Context, m *svnMerge, t *Target, u Update, i svnInfo) error {
	theirs, err := w.svn(ctx, "cat", "--ignore-keywords", i.URL+"@"+t.Revision.ID)
	if err != nil {
		return err
	}
	answer := theirs
	if u.Edit != nil {
		if answer, err = u.Edit(i.Path, theirs); err != nil {
			return err
		}
	}
	file := filepath.Join(m.dir, fmt.Sprintf("%x", sha1.Sum(theirs)))
	if same, err := os.ReadFile(file); err == nil && !bytes.Equal(same, answer) {
		return &UnsupportedError{System: "svn", Feature: "different edits of files with the same content, as " + i.Path}
	}
	return os.WriteFile(file, answer, 0o600)
}
