package vcs

import (
	"bytes"
	"context"
	"errors"
	"slices"
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

// unable is the error for what no decision about local changes helps against:
// conflicts, and an index that an update could not write again.
func (l *gitLocal) unable() error {
	if l.index == nil {
		return &UnsupportedError{System: "git", Feature: l.feature}
	}
	if len(l.conflicts) > 0 {
		return &ConflictError{Files: l.conflicts}
	}
	return nil
}

// version is one content that a file may have.
type version struct {
	entry gitdir.Entry // zero: the file may be missing
	from  *gitContents
}

// comparison says what a look at the tracked files is to find. Zero compares all
// of them with HEAD.
type comparison struct {
	own    Own                  // a difference for which it answers is none
	others map[string][]version // contents that are as good as HEAD's, such as an interrupted update's
	only   map[string]bool      // if not nil: other files are not looked at
}

// check compares the tracked files with HEAD.
//
// It is done as git does it, by the stat data in the index, and only files that
// these do not prove unchanged are read.
func (g *gitCopy) check(ctx context.Context, s *gitState, c comparison) (*gitLocal, error) {
	found, err := g.scan(s, &c)
	return g.judgeScan(ctx, s, found, err, &c)
}

// judgeScan ends a check whose scan, or what it failed by, is there.
func (g *gitCopy) judgeScan(ctx context.Context, s *gitState, found *scan, err error, c *comparison) (*gitLocal, error) {
	var unknown *gitdir.UnknownError
	if errors.As(err, &unknown) {
		return g.ask(ctx, unknown.Feature)
	}
	if err != nil {
		return nil, err
	}
	l := &gitLocal{index: found.index, conflicts: found.conflicts, fresh: make(map[string]gitdir.Stat)}
	if found.submodules {
		asked, err := g.ask(ctx, "a submodule")
		if err != nil {
			return nil, err
		}
		tracked, err := l.index.ByPath()
		if err != nil {
			return nil, err
		}
		for _, c := range asked.foreign {
			if tracked[c.path].Mode == gitdir.ModeGitlink {
				c.bound = gitSubmodule
				l.foreign = append(l.foreign, c)
			}
		}
	}
	return l, g.judge(ctx, s, l, found.suspects, c)
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

// judge reads the suspects and keeps the foreign changes.
func (g *gitCopy) judge(ctx context.Context, s *gitState, l *gitLocal, suspects []suspect, c *comparison) error {
	now := time.Now()
	raw := func(sus *suspect) bool {
		return !sus.staged && s.sameMode(sus.head.Mode, sus.disk.mode()) && sus.disk.hash == sus.head.ID
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
		if err := g.compare(s, l, &differ[i], version{differ[i].head, head}, c.own, c.others[differ[i].path], now); err != nil {
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
		staged: sus.staged, mode: sus.head.Mode != sus.disk.mode(), bound: sus.bound(),
	})
	return nil
}

// What an update can neither keep nor overwrite.
var (
	gitSubmodule = bound{keep: true, overwrite: true, why: ", a submodule", remedy: "put it right with git submodule update"}
	gitStaged    = bound{keep: true, overwrite: true, why: " that are staged", remedy: "unstage them with git reset"}
)

func (sus *suspect) bound() bound {
	switch {
	case sus.head.Mode == gitdir.ModeGitlink || sus.index.Mode == gitdir.ModeGitlink:
		return gitSubmodule
	case sus.staged:
		return gitStaged
	}
	return byDisk(sus.disk.root, sus.head.Mode, &sus.disk)
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
	if err != nil || !s.sameMode(v.entry.Mode, sus.disk.mode()) {
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
func (s *gitState) sameMode(a, b gitdir.Mode) bool {
	if a != b && !s.config.Bool("core.filemode", true) {
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
