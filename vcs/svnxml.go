package vcs

import (
	"context"
	"encoding/xml"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What svn's --xml outputs hold, as far as it is used; their grammar is in
// Subversion's subversion/svn/schema.

type svnInfo struct {
	Path     string    `xml:"path,attr"`
	Kind     string    `xml:"kind,attr"`
	Revision int64     `xml:"revision,attr"`
	URL      string    `xml:"url"`
	Root     string    `xml:"repository>root"`
	Checksum string    `xml:"wc-info>checksum"`
	Commit   svnCommit `xml:"commit"`
}

type svnCommit struct {
	Revision int64     `xml:"revision,attr"`
	Author   string    `xml:"author"`
	Date     time.Time `xml:"date"`
}

type svnEntry struct {
	Path  string `xml:"path,attr"`
	Local struct {
		Item     string `xml:"item,attr"`
		Props    string `xml:"props,attr"`
		WCLocked bool   `xml:"wc-locked,attr"`
		Tree     bool   `xml:"tree-conflicted,attr"`
		File     bool   `xml:"file-external,attr"`
		Switched bool   `xml:"switched,attr"`
	} `xml:"wc-status"`
	Remote struct {
		Item  string `xml:"item,attr"`
		Props string `xml:"props,attr"`
	} `xml:"repos-status"`
}

// svnStatus is `svn status --xml`, with -u also what is new upstream.
type svnStatus struct {
	entries     []svnEntry
	against     int64           // the revision that -u compared with
	interrupted bool            // an operation began and did not end
	externals   map[string]bool // directories and files
	switched    []string        // the tops of what is of another URL than its directory tells
}

type svnPath struct {
	Path  string `xml:",chardata"`
	Item  string `xml:"item,attr"`
	Props string `xml:"props,attr"`
	Kind  string `xml:"kind,attr"`
}

type svnLogEntry struct {
	svnCommit
	Message string `xml:"msg"`
}

// xmlOf runs a subcommand and reads its XML into v.
func (w *svnCopy) xmlOf(ctx context.Context, v any, args ...string) error {
	out, err := w.svn(ctx, append([]string{args[0], "--xml"}, args[1:]...)...)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(out, v); err != nil {
		return fmt.Errorf("svn %s: %w", args[0], err)
	}
	return nil
}

// info is about the top.
func (w *svnCopy) info(ctx context.Context, options ...string) (*svnInfo, error) {
	var doc struct {
		Entries []svnInfo `xml:"entry"`
	}
	if err := w.xmlOf(ctx, &doc, append(append([]string{"info"}, options...), ".")...); err != nil {
		return nil, err
	}
	if len(doc.Entries) != 1 {
		return nil, fmt.Errorf("svn info: %d entries", len(doc.Entries))
	}
	return &doc.Entries[0], nil
}

// chunk is how many paths one command line takes.
const chunk = 200

// infos is about versioned paths.
func (w *svnCopy) infos(ctx context.Context, paths ...string) ([]svnInfo, error) {
	var all []svnInfo
	for some := range slices.Chunk(paths, chunk) {
		var doc struct {
			Entries []svnInfo `xml:"entry"`
		}
		if err := w.xmlOf(ctx, &doc, append([]string{"info"}, argsOf(some)...)...); err != nil {
			return nil, err
		}
		for i := range doc.Entries {
			doc.Entries[i].Path = w.relative(doc.Entries[i].Path)
		}
		all = append(all, doc.Entries...)
	}
	return all, nil
}

func argsOf(paths []string) []string {
	args := make([]string, len(paths))
	for i, p := range paths {
		args[i] = arg(p)
	}
	return args
}

// relative cleans a path as svn prints it.
func (w *svnCopy) relative(path string) string {
	if rel, ok := strings.CutPrefix(path, w.dir+"/"); ok {
		path = rel
	}
	return filepath.ToSlash(filepath.Clean(path))
}

// properties are those of versioned paths, by path and name.
func (w *svnCopy) properties(ctx context.Context, paths []string) (map[string]map[string]string, error) {
	return w.propertiesOf(ctx, argsOf(paths), w.relative)
}

// propertiesOf are those of paths or URLs, by what named makes of what svn says
// that they are, and by name.
func (w *svnCopy) propertiesOf(ctx context.Context, args []string, named func(string) string) (map[string]map[string]string, error) {
	props := make(map[string]map[string]string)
	for some := range slices.Chunk(args, chunk) {
		var doc struct {
			Targets []struct {
				Path       string `xml:"path,attr"`
				Properties []struct {
					Name  string `xml:"name,attr"`
					Value string `xml:",chardata"`
				} `xml:"property"`
			} `xml:"target"`
		}
		if err := w.xmlOf(ctx, &doc, append([]string{"proplist", "-v"}, some...)...); err != nil {
			return nil, err
		}
		for _, t := range doc.Targets {
			m := make(map[string]string)
			for _, p := range t.Properties {
				m[p.Name] = p.Value
			}
			props[named(t.Path)] = m
		}
	}
	return props, nil
}

// status looks at the working copy; with options "-u" and "-r" at what the
// server has too, in one go.
func (w *svnCopy) status(ctx context.Context, options ...string) (*svnStatus, error) {
	type target struct {
		Entries []svnEntry `xml:"entry"`
		Against struct {
			Revision int64 `xml:"revision,attr"`
		} `xml:"against"`
	}
	var doc struct {
		Targets     []target `xml:"target"`
		Changelists []target `xml:"changelist"`
	}
	if err := w.xmlOf(ctx, &doc, append(append([]string{"status"}, options...), ".")...); err != nil {
		return nil, err
	}
	st := &svnStatus{externals: make(map[string]bool)}
	for _, t := range append(doc.Targets, doc.Changelists...) {
		st.entries = append(st.entries, t.Entries...)
		if t.Against.Revision != 0 {
			st.against = t.Against.Revision
		}
	}
	for i := range st.entries {
		e := &st.entries[i]
		e.Path = w.relative(e.Path)
		st.interrupted = st.interrupted || e.Local.WCLocked || e.Local.Item == "incomplete"
		if e.Local.Item == "external" || e.Local.File {
			st.externals[e.Path] = true
		}
		if e.Local.Switched {
			st.switched = append(st.switched, e.Path)
		}
	}
	return st, nil
}

func (e *svnEntry) conflicted() bool {
	return e.Local.Item == "conflicted" || e.Local.Props == "conflicted" || e.Local.Tree
}

// outOfDate reports whether upstream has something else.
func (e svnEntry) outOfDate() bool { return !plain(e.Remote.Item) || !plain(e.Remote.Props) }

// changed reports whether a versioned path is not as in the repository.
func (e *svnEntry) changed() bool {
	switch e.Local.Item {
	case "none", "normal", "unversioned", "ignored", "external", "incomplete", "":
		return !plain(e.Local.Props)
	}
	return true
}

// plain reports whether properties are as in the repository.
func plain(props string) bool { return props == "none" || props == "normal" || props == "" }

func (e *svnEntry) note() string {
	if e.Local.Item == "normal" || e.Local.Item == "none" {
		return "properties changed"
	}
	return e.Local.Item
}

// differences lists the paths that differ between two revisions, as -r takes
// them: to or from BASE, svn compares what each file is at. It does not see that
// something is switched, but where that is named itself.
func (w *svnCopy) differences(ctx context.Context, st *svnStatus, from, to string) ([]svnPath, error) {
	tops := append([]string{"."}, st.switched...)
	var all []svnPath
	for _, top := range tops {
		var doc struct {
			Paths []svnPath `xml:"paths>path"`
		}
		if err := w.xmlOf(ctx, &doc, "diff", "--summarize", "-r", from+":"+to, arg(top)); err != nil {
			return nil, err
		}
		for _, p := range doc.Paths {
			if p.Path = w.relative(p.Path); within(p.Path, tops) == top {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// within is the innermost of some directories that a path is, or lies in.
func within(path string, tops []string) string {
	best := "."
	for _, top := range tops {
		if (path == top || strings.HasPrefix(path, top+"/")) && (best == "." || len(top) > len(best)) {
			best = top
		}
	}
	return best
}

// changesOf are those of the files among paths that differ, sorted.
func changesOf(paths []svnPath) []Change {
	var changes []Change
	for _, p := range paths {
		op := Changed
		switch {
		case p.Kind != "file":
			continue
		case p.Item == "added":
			op = Added
		case p.Item == "deleted":
			op = Deleted
		}
		changes = append(changes, Change{Path: p.Path, Op: op})
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return changes
}

// history lists the commits after from up to to, newest first.
func (w *svnCopy) history(ctx context.Context, from, to string) ([]Commit, error) {
	var doc struct {
		Entries []svnLogEntry `xml:"logentry"`
	}
	if err := w.xmlOf(ctx, &doc, "log", "-r", to+":"+from, "."); err != nil {
		return nil, err
	}
	var commits []Commit
	for _, e := range doc.Entries {
		id := fmt.Sprint(e.Revision)
		subject, _, _ := strings.Cut(strings.TrimSpace(e.Message), "\n")
		commits = append(commits, Commit{ID: id, Short: id, Author: e.Author, Subject: subject, Date: e.Date})
	}
	return commits, nil
}
