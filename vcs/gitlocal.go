package vcs

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"revstamp/vcs/internal/gitdir"
)

// gitLocal is what a look at the tracked files found.
type gitLocal struct {
	index     *gitdir.Index // nil when git had to be asked…
	feature   string        // …because of this
	foreign   []localChange
	conflicts []string
	fresh     map[string]gitdir.Stat // of files whose content was compared, and is as committed
}

// names lists what is not as committed, sorted.
func (l *gitLocal) names() []string {
	names := slices.Clone(l.conflicts)
	for _, c := range l.foreign {
		names = append(names, c.path)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// refuse is the error for what is not as committed, if anything is, and for an
// index that an update could not write again.
func (l *gitLocal) refuse() error {
	if l.index == nil {
		return &UnsupportedError{System: "git", Feature: l.feature}
	}
	if len(l.conflicts) > 0 {
		return &ConflictError{Files: l.conflicts}
	}
	return refuseLocal(l.foreign)
}

// version is one content that a file may have.
type version struct {
	entry gitdir.Entry // zero: the file may be missing
	from  *gitContents
}

// suspect is a tracked file that its stat data do not prove to be as committed.
type suspect struct {
	path   string
	head   gitdir.Entry // zero when HEAD does not have it
	index  gitdir.Entry // zero when the index does not have it
	disk   diskFile
	stat   gitdir.Stat
	staged bool
}

// check compares the tracked files with HEAD. A difference for which own
// answers is none. others are contents that are as good as HEAD's, such as
// those of the update that was interrupted.
//
// It is done as git does it, by the stat data in the index, and only files that
// these do not prove unchanged are read.
func (g *gitCopy) check(ctx context.Context, s *gitState, own Own, others map[string][]version) (*gitLocal, error) {
	index, err := s.Index()
	var unknown *gitdir.UnknownError
	if errors.As(err, &unknown) {
		return g.ask(ctx, unknown.Feature)
	}
	if err != nil {
		return nil, err
	}
	l := &gitLocal{index: index, fresh: make(map[string]gitdir.Stat)}
	suspects, submodules, err := g.suspects(s, l, others)
	if err != nil {
		return nil, err
	}
	if submodules {
		asked, err := g.ask(ctx, "a submodule")
		if err != nil {
			return nil, err
		}
		for _, c := range asked.foreign {
			if i, ok := find(index, c.path); ok && index.Entries[i].Mode == gitdir.ModeGitlink {
				l.foreign = append(l.foreign, c)
			}
		}
	}
	return l, g.judge(ctx, s, l, suspects, own, others)
}

// ask leaves the whole comparison to git.
func (g *gitCopy) ask(ctx context.Context, feature string) (*gitLocal, error) {
	names, err := g.host.modified(ctx, feature)
	if err != nil {
		return nil, err
	}
	l := &gitLocal{feature: feature}
	for _, name := range names {
		l.foreign = append(l.foreign, localChange{path: name, note: "modified"})
	}
	return l, nil
}

func find(x *gitdir.Index, path string) (int, bool) {
	return slices.BinarySearchFunc(x.Entries, path, func(e gitdir.IndexEntry, p string) int {
		return strings.Compare(e.Path, p)
	})
}

// suspects are the files to look at, in order of their paths.
func (g *gitCopy) suspects(s *gitState, l *gitLocal, others map[string][]version) (_ []suspect, submodules bool, err error) {
	staged, err := s.staged(l.index)
	if err != nil {
		return nil, false, err
	}
	var out []suspect
	dirs := realDirs{root: g.dir}
	for i := range l.index.Entries {
		e := &l.index.Entries[i]
		if e.Stage > 0 {
			l.conflicts = append(l.conflicts, e.Path)
			continue
		}
		head, isStaged := staged[e.Path]
		if !isStaged {
			head = e.Entry
		}
		delete(staged, e.Path)
		if e.Mode == gitdir.ModeGitlink && !isStaged {
			submodules = submodules || marked(filepath.Join(g.dir, e.Path), ".git")
			continue
		}
		d := dirs.lstat(e.Path)
		stat := d.stat()
		_, judged := others[e.Path]
		trusted := (e.AssumeValid || e.SkipWorktree) && !judged
		same := e.Stat.Same(stat) && g.sameMode(s, e.Mode, d.mode()) && !e.Stat.Racy(l.index.Written)
		if !isStaged && !e.IntentToAdd && (trusted || same) {
			continue
		}
		out = append(out, suspect{e.Path, head, e.Entry, d, stat, isStaged || e.IntentToAdd})
	}
	for path, head := range staged { // in HEAD, not in the index
		d := dirs.lstat(path)
		out = append(out, suspect{path: path, head: head, disk: d, stat: d.stat(), staged: true})
	}
	l.conflicts = slices.Compact(l.conflicts)
	slices.SortFunc(out, func(a, b suspect) int { return strings.Compare(a.path, b.path) })
	return out, submodules, nil
}

// staged returns what HEAD has, zero for nothing, at each path where the index
// has something else.
func (s *gitState) staged(index *gitdir.Index) (map[string]gitdir.Entry, error) {
	if index.Tree == s.tree() && !index.Tree.IsZero() {
		return nil, nil
	}
	head := make(map[string]gitdir.Entry, len(index.Entries))
	if s.commit != nil {
		err := s.objects.Files(s.tree(), func(path string, e gitdir.Entry) { head[path] = e })
		if err != nil {
			return nil, err
		}
	}
	for _, e := range index.Entries {
		was, ok := head[e.Path]
		switch {
		case ok && was == e.Entry:
			delete(head, e.Path)
		case !ok:
			head[e.Path] = gitdir.Entry{}
		}
	}
	return head, nil
}

// judge reads the suspects and keeps the foreign changes.
func (g *gitCopy) judge(ctx context.Context, s *gitState, l *gitLocal, suspects []suspect, own Own, others map[string][]version) error {
	now := time.Now()
	raw := func(sus *suspect) bool {
		return !sus.staged && g.sameMode(s, sus.head.Mode, sus.disk.mode()) && sus.disk.hash == sus.head.ID
	}
	var differ []suspect
	for _, sus := range suspects {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := sus.disk.read(); err != nil {
			return err
		}
		if raw(&sus) {
			l.keep(&sus, now)
			continue
		}
		differ = append(differ, sus)
	}
	if len(differ) == 0 {
		return nil
	}
	paths := make([]string, 0, len(differ))
	for _, sus := range differ {
		if regular(sus.head.Mode) {
			paths = append(paths, sus.path)
		}
	}
	head, err := g.contents(ctx, s, s.tree(), paths)
	if err != nil {
		return err
	}
	defer head.close()
	for i := range differ {
		if err := g.compare(s, l, &differ[i], version{differ[i].head, head}, own, others[differ[i].path], now); err != nil {
			return err
		}
	}
	return g.confirm(ctx, s, l, paths)
}

// keep remembers that a file's stat data stand for its committed content.
func (l *gitLocal) keep(sus *suspect, now time.Time) {
	if !sus.stat.Racy(now) {
		l.fresh[sus.path] = sus.stat
	}
}

func (g *gitCopy) compare(s *gitState, l *gitLocal, sus *suspect, head version, own Own, others []version, now time.Time) error {
	var base []byte
	for i, v := range append([]version{head}, others...) {
		content, equal, err := g.equal(s, sus, v, own)
		if err != nil {
			return err
		}
		if i == 0 {
			base = content
		}
		if !equal.yes {
			continue
		}
		if sus.staged && !equal.own && !accepted(sus.index, head, others) {
			continue
		}
		if i == 0 && !equal.own && !sus.staged {
			l.keep(sus, now)
		}
		return nil
	}
	l.foreign = append(l.foreign, localChange{
		path: sus.path, base: base, got: sus.disk.content, note: sus.note(),
		staged: sus.staged, mode: sus.head.Mode != sus.disk.mode(),
	})
	return nil
}

// accepted reports whether what is staged is one of the contents that are fine.
func accepted(index gitdir.Entry, head version, others []version) bool {
	return index == head.entry ||
		slices.ContainsFunc(others, func(v version) bool { return v.entry == index })
}

type equality struct{ yes, own bool }

// equal compares the file on disk with one version of it.
func (g *gitCopy) equal(s *gitState, sus *suspect, v version, own Own) (base []byte, _ equality, err error) {
	if v.entry == (gitdir.Entry{}) {
		// A directory is no file either; those in it are judged by themselves.
		return nil, equality{yes: sus.disk.noFile()}, nil
	}
	if v.entry.Mode == gitdir.ModeGitlink {
		return nil, equality{}, nil
	}
	base, err = v.from.read(sus.path, v.entry)
	if err != nil || !g.sameMode(s, v.entry.Mode, sus.disk.mode()) {
		return base, equality{}, err
	}
	if v.entry.ID == sus.disk.hash || bytes.Equal(base, sus.disk.content) {
		return base, equality{yes: true}, nil
	}
	if own != nil && v.entry.Mode != gitdir.ModeSymlink && own(sus.path, base, sus.disk.content) {
		return base, equality{yes: true, own: true}, nil
	}
	return base, equality{}, nil
}

// confirm asks git about files that differ byte by byte where its filters may
// see them as equal: line endings, for instance, or by attributes that are not
// committed. Without git, files that filters write are nothing to judge.
func (g *gitCopy) confirm(ctx context.Context, s *gitState, l *gitLocal, paths []string) error {
	doubtful := slices.ContainsFunc(l.foreign, func(c localChange) bool { return !c.staged && !c.mode })
	if !doubtful {
		return nil
	}
	attributes, err := s.diskAttributes(paths)
	if err != nil {
		return err
	}
	conv, err := g.conversion(s, attributes)
	if _, able := g.host.(*gitClient); err != nil || conv.clean == "" || !able && conv.smudge == "" {
		return err
	}
	names, err := g.host.modified(ctx, "conversion by "+conv.clean)
	if err != nil {
		return err
	}
	l.foreign = slices.DeleteFunc(l.foreign, func(c localChange) bool {
		return !c.staged && !c.mode && !slices.Contains(names, c.path)
	})
	return nil
}

func regular(m gitdir.Mode) bool {
	return m == gitdir.ModeRegular || m == gitdir.ModeExecutable
}

// sameMode compares as core.fileMode says.
func (g *gitCopy) sameMode(s *gitState, a, b gitdir.Mode) bool {
	if !s.config.Bool("core.filemode", true) {
		if a == gitdir.ModeExecutable {
			a = gitdir.ModeRegular
		}
		if b == gitdir.ModeExecutable {
			b = gitdir.ModeRegular
		}
	}
	return a == b
}

func (sus *suspect) note() string {
	switch {
	case sus.disk.missing():
		return "deleted"
	case sus.disk.mode() == 0:
		return "not a file any more"
	case sus.head == (gitdir.Entry{}):
		return "added"
	case sus.disk.hash == sus.head.ID && sus.disk.mode() != sus.head.Mode:
		return "mode changed"
	}
	return ""
}

// diskFile is what lies at a path of the working tree.
type diskFile struct {
	file    string // absolute
	info    fs.FileInfo
	hash    gitdir.ID // of content, as a blob; zero when there is none
	content []byte
}

func (d *diskFile) missing() bool { return d.info == nil }

// noFile reports that nothing is there, or a directory.
func (d *diskFile) noFile() bool { return d.info == nil || d.info.IsDir() }

func (d *diskFile) mode() gitdir.Mode {
	if d.info == nil {
		return 0
	}
	return gitdir.FileMode(d.info)
}

func (d *diskFile) stat() gitdir.Stat {
	if d.info == nil {
		return gitdir.Stat{}
	}
	return gitdir.StatOf(d.info)
}

// read takes in the content: a file's bytes, or what a symbolic link says.
func (d *diskFile) read() (err error) {
	switch d.mode() {
	case gitdir.ModeSymlink:
		var target string
		target, err = os.Readlink(d.file)
		d.content = []byte(target)
	case gitdir.ModeRegular, gitdir.ModeExecutable:
		d.content, err = readRegular(d.file)
	default:
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		d.info, d.content = nil, nil // gone since
		return nil
	}
	d.hash = gitdir.HashOf(gitdir.KindBlob, d.content)
	return err
}

// readRegular reads a file that was just seen to be one, without following a
// link or waiting for a pipe that somebody put in its place since.
func readRegular(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(int(info.Size()) + bytes.MinRead)
	_, err = b.ReadFrom(f)
	return b.Bytes(), err
}

// realDirs looks at files without going through symbolic links: a directory
// that was replaced by a link has none of its files any more.
type realDirs struct {
	root string
	seen map[string]bool // by slash path below root: it is a directory
}

func (r *realDirs) lstat(path string) diskFile {
	d := diskFile{file: r.root + "/" + path}
	if i := strings.LastIndexByte(path, '/'); i >= 0 && !r.real(path[:i]) {
		return d
	}
	info, err := os.Lstat(d.file)
	if err == nil {
		d.info = info
	}
	return d
}

func (r *realDirs) real(dir string) bool {
	if is, ok := r.seen[dir]; ok {
		return is
	}
	if r.seen == nil {
		r.seen = make(map[string]bool)
	}
	is := true
	if i := strings.LastIndexByte(dir, '/'); i >= 0 {
		is = r.real(dir[:i])
	}
	if is {
		info, err := os.Lstat(r.root + "/" + dir)
		is = err == nil && info.IsDir()
	}
	r.seen[dir] = is
	return is
}
