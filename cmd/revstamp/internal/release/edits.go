package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/config"
	"revstamp/stamp"
	"revstamp/vcs"
)

// edits are what revstamp itself writes into a site's files at one revision:
// the stamped keys of its configuration and the versions of its references.
type edits struct {
	cfg    *config.Config
	base   string                    // directory that the configuration's paths are below
	stamps map[string][]stamp.Target // by absolute path
	files  []string                  // the keys of stamps, in the order of the configuration
	assets *assets.Site              // nil: references are left alone
	ledger *assets.Ledger            // of the fingerprinted copies in the asset root; nil when there can be none
	short  string                    // the revision, as the manifest tells it
	last   lastChanged               // nil: nobody asks for versions
}

// Edit is one file that a release changes, other than by the update itself.
type Edit struct {
	Path    string             `json:"path"` // slash path, as in the configuration
	Role    Role               `json:"role"`
	Before  []byte             `json:"-"` // as visitors have it now; nil when the file is not there yet
	After   []byte             `json:"-"`
	Source  []byte             `json:"-"` // what After is made of
	Stamped []stamp.Change     `json:"stamped,omitempty"`
	Refs    []assets.Reference `json:"references,omitempty"` // with their versions
	Missing []assets.Reference `json:"missing,omitempty"`    // those that lead nowhere

	// Mismatched are elements whose integrity attribute does not hold.
	Mismatched []assets.Reference `json:"mismatched,omitempty"`
}

// Role orders the files of a release: what refers to a file comes after it.
type Role int

// The roles, in the order in which their files are put in place.
const (
	RoleOther Role = iota // assets, and all else that is not edited
	RoleReference
	RoleConfiguration
)

func (r Role) String() string {
	return [...]string{"file", "references", "configuration"}[r]
}

// MarshalText makes a role its word in JSON.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// newEdits prepares the edits of cfg at revision rev, with assets as they are
// in t, which last tells of.
func newEdits(cfg *config.Config, rev vcs.Revision, t *tree, last lastChanged) (*edits, error) {
	targets, err := targets(cfg, rev)
	if err != nil {
		return nil, err
	}
	return editsOf(cfg, targets, values(cfg, rev).Short, t, last)
}

// editsOf is newEdits, of targets with their values and of a revision by its short
// name. What is our own can be told without any.
func editsOf(cfg *config.Config, targets []stamp.Target, short string, t *tree, last lastChanged) (e *edits, err error) {
	e = &edits{cfg: cfg, base: t.base, last: last, stamps: map[string][]stamp.Target{}}
	for _, target := range targets {
		abs := t.abs(target.File)
		if _, ok := e.stamps[abs]; !ok {
			e.files = append(e.files, abs)
		}
		e.stamps[abs] = append(e.stamps[abs], target)
	}
	if cfg.Assets != nil {
		e.short = short
		err = e.openAssets(t)
	}
	return e, err
}

// LiveAssets are the assets of the site with the versions of a release; nil when
// the configuration has none.
func (s *Site) LiveAssets(ctx context.Context, r *Release) (*assets.Site, error) {
	last := sync.OnceValues(func() (map[string]string, error) {
		wc, err := s.workingCopy(ctx, false)
		if err != nil {
			return nil, err
		}
		return wc.LastChanged(ctx, r.To.ID)
	})
	e, err := newEdits(s.Config, r.To, &tree{base: s.Config.Abs(".")}, last)
	if err != nil {
		return nil, err
	}
	return e.assets, nil
}

// openAssets prepares the versions of the assets in t.
func (e *edits) openAssets(t *tree) error {
	a := e.cfg.Assets
	if info, err := t.Stat(path.Clean(a.Root)); err == nil && !info.IsDir() {
		return fmt.Errorf("assets.root: %q is no directory", a.Root)
	}
	root := t.sub(a.Root)
	e.assets = &assets.Site{
		FS: root, URL: a.URL, Hosts: a.Hosts, Param: a.Param, Strict: a.Strict, Style: assets.Style(a.Style), Modules: assets.Modules(a.Modules), Attributes: a.Attributes,
		Rewrites: func(name string) bool { return e.refers(root.abs(name)) },
	}
	switch a.Version {
	case config.ByRevision:
		e.assets.Rev = e.short
	case config.ByFile:
		if e.last != nil {
			e.assets.VersionOf = func(name string) (string, error) { return e.fileVersion(root.abs(name)) }
		}
	}
	_, err := os.Stat(root.abs(assets.LedgerName))
	if a.Style != config.ByName && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if e.ledger, err = assets.OpenLedger(root.base); err != nil {
		return err
	}
	e.assets.Written = e.ledger.Wrote
	return nil
}

// lastChanged tells for every tracked file the revision that last changed it, by its
// path in the working copy.
type lastChanged func() (map[string]string, error)

// fileVersion is the version of the asset at abs: the revision that last changed it,
// or "" if none has, for it is not tracked. What is stamped changes with every
// release.
func (e *edits) fileVersion(abs string) (string, error) {
	if e.stamps[abs] != nil {
		return e.short, nil
	}
	all, err := e.last()
	if err != nil {
		return "", err
	}
	name, err := filepath.Rel(filepath.Join(e.base, filepath.FromSlash(e.cfg.Source.Path)), abs)
	return vcs.Short(all[filepath.ToSlash(name)]), err
}

// targets are what cfg stamps at revision rev. Their files are named as in cfg.
func targets(cfg *config.Config, rev vcs.Revision) ([]stamp.Target, error) {
	all, values := places(cfg), values(cfg, rev)
	for i, st := range cfg.Stamp {
		var err error
		if all[i].Value, err = config.Expand(st.Value, values); err != nil {
			return nil, fmt.Errorf("%v: %w", st.Pos, err)
		}
	}
	return all, nil
}

// places are the targets of cfg, without values.
func places(cfg *config.Config) []stamp.Target {
	all := make([]stamp.Target, len(cfg.Stamp))
	for i, st := range cfg.Stamp {
		all[i] = stamp.Target{
			File: st.File, Format: st.Format, Key: st.Key, Match: st.Match, Placeholder: st.Placeholder,
			Newlines: st.Newlines, Type: st.Type, All: st.All,
		}
	}
	return all
}

// role says what the file at abs is to a release.
func (e *edits) role(abs string) Role {
	switch {
	case e.stamps[abs] != nil:
		return RoleConfiguration
	case e.refers(abs):
		return RoleReference
	}
	return RoleOther
}

// refers reports whether references are rewritten in the file at abs. In a copy
// of an asset they are as they are to be.
func (e *edits) refers(abs string) bool {
	if e.assets == nil || e.ledger != nil && e.ledger.Wrote(e.document(abs).Path) {
		return false
	}
	name := e.name(abs)
	return slices.ContainsFunc(e.cfg.Assets.Rewrite, func(glob string) bool {
		return doublestar.MatchUnvalidated(glob, name)
	})
}

// document tells package assets what the file at abs is to the asset root.
func (e *edits) document(abs string) assets.Document {
	doc := assets.Document{Name: e.name(abs)}
	root := filepath.Join(e.base, filepath.FromSlash(e.cfg.Assets.Root))
	if rel, err := filepath.Rel(root, abs); err == nil && filepath.IsLocal(rel) {
		doc.Path = filepath.ToSlash(rel)
	}
	return doc
}

func (e *edits) name(abs string) string {
	if rel, err := filepath.Rel(e.base, abs); err == nil {
		return filepath.ToSlash(rel)
	}
	return abs
}

// apply returns content, of the file at abs, as it is to be published.
func (e *edits) apply(abs string, content []byte) (Edit, error) {
	edit := Edit{Path: e.name(abs), Role: e.role(abs), After: content, Source: content}
	var err error
	if edit.After, edit.Stamped, err = stamp.Edit(content, e.stamps[abs]); err != nil {
		return edit, err
	}
	if e.refers(abs) {
		result, err := e.assets.Rewrite(e.document(abs), edit.After)
		if err != nil {
			return edit, err
		}
		edit.After, edit.Refs, edit.Missing = result.Out, result.References, result.Missing
		edit.Mismatched = result.Mismatched
	}
	return edit, nil
}

// same reports whether a and b, two contents of the file at abs, differ in
// nothing but what revstamp writes there.
func (e *edits) same(abs string, a, b []byte) bool {
	stamps := slices.Clone(e.stamps[abs])
	for i := range stamps {
		values, err := stamps[i].Find(b)
		if err != nil {
			return false
		}
		stamps[i].Value = values[0].Text // of the right type, whatever it is
	}
	a, _, errA := stamp.Edit(a, stamps)
	b, _, errB := stamp.Edit(b, stamps)
	if errA != nil || errB != nil {
		return false
	}
	if e.refers(abs) {
		doc := e.document(abs)
		a = e.assets.Normalize(doc, a)
		b = e.assets.Normalize(doc, b)
	}
	return bytes.Equal(a, b)
}

// manifest computes the file that lists the assets, if one is configured.
func (e *edits) manifest(ctx context.Context, t *tree) ([]Edit, error) {
	if e.assets == nil || e.cfg.Assets.Manifest == "" {
		return nil, nil
	}
	name := path.Clean(e.cfg.Assets.Manifest)
	m, err := e.assets.Manifest(ctx, assets.ManifestOptions{Revision: e.short})
	if err != nil {
		return nil, err
	}
	delete(m.Assets, e.manifestAsset())
	edit := Edit{Path: name, Role: RoleReference}
	if edit.After, err = m.Encode(assets.Shapes()[0]); err != nil {
		return nil, err
	}
	now, err := readOptional(t.abs(name))
	if err != nil {
		return nil, err
	}
	edit.Before, err = t.before(name, now)
	return []Edit{edit}, err
}

// manifestAsset is where the manifest is under the asset root, if it is there: it
// is none of the assets that it lists.
func (e *edits) manifestAsset() string {
	rel, err := filepath.Rel(filepath.FromSlash(e.cfg.Assets.Root), filepath.FromSlash(e.cfg.Assets.Manifest))
	if err != nil || e.cfg.Assets.Manifest == "" {
		return ""
	}
	return filepath.ToSlash(rel)
}

// configuration computes the edits of the stamped files as they are in t.
func (e *edits) configuration(t *tree) ([]Edit, error) {
	var all []Edit
	for _, abs := range e.files {
		edit, err := e.file(t, e.name(abs))
		if errors.Is(err, fs.ErrNotExist) {
			err = e.noTarget(t, abs)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, edit)
	}
	return all, nil
}

// noTarget is the error of a file to stamp that is not in t.
func (e *edits) noTarget(t *tree, abs string) error {
	i := slices.IndexFunc(e.cfg.Stamp, func(s config.Stamp) bool { return t.abs(s.File) == abs })
	return &NoTargetError{Pos: e.cfg.Stamp[i].Pos, File: e.cfg.Stamp[i].File}
}

// NoTargetError says that a file to stamp, named at Pos, is not there.
type NoTargetError struct {
	Pos  config.Pos
	File string
}

func (e *NoTargetError) Error() string {
	return fmt.Sprintf("%v: stamp %s: %v", e.Pos, e.File, fs.ErrNotExist)
}

func (e *NoTargetError) Unwrap() error { return fs.ErrNotExist }

// Hint tells where it is looked for.
func (e *NoTargetError) Hint() string {
	return "write it as seen from the directory of revstamp.yaml, or, with layout: releases, from the top of the repository"
}

// file computes the edit of one file of t.
func (e *edits) file(t *tree, name string) (Edit, error) {
	content, err := t.ReadFile(name)
	if err != nil {
		return Edit{}, err
	}
	edit, err := e.apply(t.abs(name), content)
	if err != nil {
		return Edit{}, err
	}
	edit.Before, err = t.before(name, content)
	return edit, err
}

// references computes, in parallel, the edits of the named files, and that of
// the manifest.
func (e *edits) references(ctx context.Context, t *tree, names []string) ([]Edit, error) {
	all := make([]Edit, len(names))
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		group.Go(func() error {
			if err := running.Err(); err != nil {
				return err
			}
			var err error
			all[i], err = e.file(t, name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	list, err := e.manifest(ctx, t)
	return append(all, list...), err
}

// documents lists the files of t that references are rewritten in, and a
// fingerprint, made of what stat tells, of all that their rewriting depends on.
func (e *edits) documents(t *tree, skip func(abs string) bool) (names []string, print string, err error) {
	if e.assets == nil {
		return nil, "", nil
	}
	roots := globRoots(e.cfg.Assets.Rewrite)
	every := e.assets.Rev == "" || e.cfg.Assets.Manifest != ""
	if every {
		roots = outermost(append(roots, path.Clean(e.cfg.Assets.Root)))
	}
	hash := sha256.New()
	err = t.walk(roots, skip, func(name string, info func() (fs.FileInfo, error)) error {
		doc := e.refers(t.abs(name))
		if !doc && !every {
			return nil
		}
		fi, err := info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if doc && e.stamps[t.abs(name)] == nil {
			names = append(names, name)
		}
		printFile(hash, name, fi)
		return nil
	})
	slices.Sort(names)
	return names, hex.EncodeToString(hash.Sum(nil)), err
}

// globRoots are the directories that globs can match below.
func globRoots(globs []string) []string {
	var roots []string
	for _, glob := range globs {
		root, _ := doublestar.SplitPattern(glob)
		roots = append(roots, root)
	}
	return outermost(roots)
}

// outermost leaves out the directories that lie in others of dirs.
func outermost(dirs []string) []string {
	slices.Sort(dirs)
	var out []string
	for _, dir := range dirs {
		within := func(outer string) bool {
			return outer == "." || dir == outer || strings.HasPrefix(dir, outer+"/")
		}
		if !slices.ContainsFunc(out, within) {
			out = append(out, dir)
		}
	}
	return out
}

// NameOf returns how a release calls rev where it stamps it: with Subversion perhaps by
// another of its numbers, as the configuration says.
func NameOf(cfg *config.Config, rev vcs.Revision) (id, short string) {
	switch {
	case cfg.Source.Number == config.AsText && rev.Mixed != "":
		return rev.Mixed, rev.Mixed
	case cfg.Source.Number == config.LastChanged && rev.LastChanged > 0:
		id = strconv.FormatInt(rev.LastChanged, 10)
		return id, id
	}
	return rev.ID, rev.Short
}

// values are the fields of a value's template.
func values(cfg *config.Config, rev vcs.Revision) config.Data {
	id, short := NameOf(cfg, rev)
	d := config.Data{
		Site:     cfg.Site,
		System:   rev.System,
		Revision: id,
		Short:    short,
		Branch:   rev.Branch,
		Tag:      rev.Tag,
		Describe: rev.Describe,
		Bookmark: rev.Bookmark,
		Phase:    rev.Phase,
		Author:   rev.Author,
		URL:      rev.URL,
		Date:     config.Date{Time: rev.Date},
	}
	d.SetNumbers(rev.Number, rev.LastChanged)
	return d
}
