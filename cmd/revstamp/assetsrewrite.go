package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/config"
	"revstamp/cmd/revstamp/internal/release"
	"revstamp/stamp/atomicfile"
)

// rewriting is the command assets rewrite: its flags, and what it works on.
type rewriting struct {
	assetSite
	hosts   []string
	strict  bool
	dry     bool
	list    bool
	lax     bool
	noCache bool
	codings []string // of precompressed variants

	base  string                 // what documents outside of the root lie in
	state string                 // state directory of the configuration; "" without one
	keep  int                    // releases before the present one whose copies stay
	seen  func(dir string) error // as in documents

	unread []string // directories of documents that this user may not read
}

func newRewrite(a *app) *cobra.Command {
	r := &rewriting{assetSite: assetSite{app: a}}
	cmd := &cobra.Command{
		Use:   "rewrite [FILE | DIRECTORY | PATTERN]...",
		Short: "Put versions on the references in pages, style sheets, scripts and templates",
		Long: `Rewrite gives the URLs of assets their versions, in the files themselves: those
that are named, or those of assets.rewrite in the configuration, or else all
documents under the root. A second run changes nothing.

Each file is replaced at once, and keeps its mode and owner. What is wrong with one
file leaves that as it was and the others are rewritten; all that was wrong is told
in the end, and the exit status is 1. It is safe to run it again. With --strict all
files are looked at before the first is written, which takes half as long again,
and nothing is written when a reference names no file.

With --compress every text under the root gets variants beside it, where they are
smaller, for web servers that send those. Variants that do not fit any more are
replaced or removed, and files that revstamp did not make are never touched. The
configuration says so for releases, too, with assets.compress.

What was found is remembered, so that files which have not changed, nor what they
refer to, are not read again. A directory that cannot be read is told of and left; with
--strict it is an error.

A JavaScript module runs once for each URL that it is reached by. So the URLs of modules
get versions only if every page and script under the asset root that imports one is
rewritten, and has no import map with a prefix, which hides URLs; --modules all or none
says so instead. A version that such a URL has already is kept up to date with none, too.

With --out the files under the root stay as they are, and are written to a directory
of their own, rewritten or copied, all of them made before the first is put in place.
Links to files become files there. What holds there what it should is not touched. What
an earlier run wrote there of this root, and is gone from it, is removed; what revstamp
did not write, or somebody has changed since, stays.

With --style name each asset has a copy beside it, whose name holds its digest, and
references lead there. Copies that no page refers to any more stay for as many
changes as assets.keep says, or five, since old pages are still open somewhere.`,
		Example: `  revstamp assets rewrite --root public --rev 42 'public/**/*.html' templates
  revstamp assets rewrite -n
  revstamp assets rewrite -l page.html
  revstamp assets rewrite --root public --version digest --out dist`,
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&r.dry, "dry-run", "n", false, "show the difference, write nothing")
	f.BoolVarP(&r.list, "list", "l", false, "list the references, write nothing")
	f.StringVar(&r.into, "out", "", "write the asset root, rewritten, into a `directory`, and leave it as it is")
	f.StringSliceVar(&r.codings, "compress", nil, "make precompressed variants of what is text: `gzip,brotli,zstd`")
	f.BoolVar(&r.noCache, "no-cache", false, "read every file, and remember nothing")
	return cmd
}

// flags are those that assets watch has, too.
func (r *rewriting) flags(cmd *cobra.Command) {
	r.assetSite.flags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&r.hosts, "host", nil, "`host` whose URLs are the site's own")
	f.BoolVar(&r.strict, "strict", false, "a reference that names no file is an error")
	f.BoolVar(&r.lax, "owner-best-effort", false, "go on when a file's owner cannot be kept")
}

// prepare reads the configuration, and returns the site and the documents.
func (r *rewriting) prepare(ctx context.Context, args []string) (*assets.Site, []assets.Document, error) {
	site, _, err := r.open(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := r.configured()
	if err != nil {
		return nil, nil, err
	}
	if r.root, err = filepath.Abs(r.root); err != nil {
		return nil, nil, err
	}
	if r.base, err = os.Getwd(); err != nil {
		return nil, nil, err
	}
	r.keep = 5 // as in the configuration
	if cfg != nil {
		r.take(cfg)
	}
	for _, h := range r.hosts {
		if _, err := assets.Host(h); err != nil {
			return nil, nil, &usageError{msg: err.Error(), hint: "name one --host for each, without a path"}
		}
	}
	site.Hosts, site.Strict = r.hosts, r.strict
	docs, err := r.documents(ctx, cfg, args)
	if err != nil {
		return nil, nil, err
	}
	rewritten := sync.OnceValue(func() map[string]bool {
		paths := make(map[string]bool, len(docs))
		for _, d := range docs {
			paths[d.Path] = true
		}
		return paths
	})
	site.Rewrites = func(path string) bool { return rewritten()[path] }
	return site, docs, nil
}

// take takes from the configuration what no flag says.
func (r *rewriting) take(cfg *config.Config) {
	r.base, r.state = cfg.Abs("."), cfg.StateDir()
	if !r.given("host") {
		r.hosts = cfg.Assets.Hosts
	}
	if !r.given("strict") {
		r.strict = cfg.Assets.Strict
	}
	if !r.given("owner-best-effort") {
		r.lax = cfg.Owner == config.OwnerBestEffort
	}
	r.keep = cfg.Assets.Keep
	if !r.given("compress") {
		r.codings = cfg.Assets.Codings()
	}
}

func (r *rewriting) documents(ctx context.Context, cfg *config.Config, args []string) ([]assets.Document, error) {
	d := &documents{root: r.root, base: r.base, state: r.state, copies: r.copies, links: r.into != "", seen: r.seen}
	var found []assets.Document
	var err error
	switch {
	case len(args) > 0:
		found, err = d.find(ctx, args)
	case cfg != nil && len(cfg.Assets.Rewrite) > 0:
		found, err = d.matching(ctx, cfg.Assets.Rewrite)
	default:
		found, err = d.below(ctx)
	}
	if err != nil {
		return nil, err
	}
	unread := d.unreadError()
	if r.unread = d.unread; r.strict {
		return found, unread
	}
	return found, nil
}

func (r *rewriting) run(ctx context.Context, args []string) error {
	if r.list && r.dry {
		return &usageError{msg: "-n and -l are one too many", hint: "-n shows the difference, -l the references; neither writes"}
	}
	if err := r.nameCodings(); err != nil {
		return err
	}
	site, docs, err := r.prepare(ctx, args)
	if err == nil && r.into != "" {
		err = r.checkOut(docs)
	}
	if err != nil {
		return err
	}
	switch {
	case r.list:
		return r.showReferences(ctx, site, docs)
	case r.dry:
		return r.showDiff(ctx, site, docs)
	}
	if r.strict {
		if err := r.check(ctx, site, docs); err != nil {
			return err
		}
	}
	list, end := r.temps(ctx)
	defer end()
	files := atomicfile.Options{Warn: func(msg string) { r.out.Warn("%s", msg) }}
	list.follow(&files)
	if r.lax {
		files.Owner = atomicfile.OwnerBestEffort
	}
	if r.into != "" {
		return r.output(ctx, site, docs, files)
	}
	show, over := r.progress(len(docs))
	all, err := r.rewrite(ctx, site, docs, &assets.InPlace{Files: files, Cache: r.openCache(site, args), Progress: show})
	over()
	if err != nil {
		return err
	}
	if len(r.codings) > 0 {
		if err := r.compress(ctx, r.root, files); err != nil {
			return errors.Join(r.tell(site, all), err)
		}
	}
	return r.tell(site, all)
}

// nameCodings makes the codings of the flag those of HTTP.
func (r *rewriting) nameCodings() error {
	for i, c := range r.codings {
		if c == "brotli" {
			r.codings[i] = "br"
		}
		if assets.Codings()[r.codings[i]] == "" {
			return &usageError{msg: fmt.Sprintf("compress: coding %q is not known", c), hint: "it is gzip, brotli or zstd, or several with commas between them"}
		}
	}
	return nil
}

// compress makes the precompressed variants below root.
func (r *rewriting) compress(ctx context.Context, root string, files atomicfile.Options) error {
	r.out.Progress("compress", 0, 1)
	defer r.out.Progress("compress", 1, 1)
	made, err := assets.Compress(ctx, root, r.codings, files)
	if err != nil {
		return err
	}
	for _, name := range made.Foreign {
		r.out.Warn("%s is not of revstamp's making, and stays as it is", shown(filepath.Join(root, name)))
	}
	for _, name := range made.Unreadable {
		r.out.Warn("%s cannot be read, and nothing in it is compressed", shown(filepath.Join(root, name)))
	}
	if len(made.Written)+len(made.Removed) > 0 {
		r.out.Info("compressed: %d new, %d removed, %d as they were", len(made.Written), len(made.Removed), made.Kept)
	}
	return nil
}

// check reads all documents and finds out whether a reference of one names no file.
func (r *rewriting) check(ctx context.Context, site *assets.Site, docs []assets.Document) error {
	return r.inMemory(ctx, site, docs, func(assets.File) {})
}

// inMemory rewrites documents and writes none. It hands on each that there is a
// result of, and returns what was wrong with any.
func (r *rewriting) inMemory(ctx context.Context, site *assets.Site, docs []assets.Document, see func(assets.File)) error {
	var errs []error
	for f, err := range site.Files(ctx, docs, nil) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			errs = append(errs, told(err)...)
		}
		if f.Result != nil {
			see(f)
		}
	}
	return errors.Join(errs...)
}

// rewrite writes the copies under fingerprinted names, if the site has such, and
// the documents as in says.
func (r *rewriting) rewrite(ctx context.Context, site *assets.Site, docs []assets.Document, in *assets.InPlace) ([]assets.Rewritten, error) {
	if err := r.writeCopies(ctx, site); err != nil {
		return nil, err
	}
	in.Site, in.Root, in.Base = site, r.root, r.base
	all, err := in.Rewrite(ctx, docs)
	if err != nil {
		return nil, err
	}
	if err := r.uncompress(ctx, all, in.Files); err != nil {
		return nil, err
	}
	r.cleanCopies(ctx)
	if in.Cache != nil {
		if err := in.Cache.Save(ctx, atomicfile.Options{Record: in.Files.Record, Gone: in.Files.Gone}); err != nil {
			r.out.Warn("what was found is not remembered: %v", err)
		}
	}
	return all, nil
}

// writeCopies writes the copies under fingerprinted names, if the site has such.
func (r *rewriting) writeCopies(ctx context.Context, site *assets.Site) error {
	copies, err := site.Copies(ctx)
	if err == nil && site.Style == assets.ByName {
		_, err = r.ledger.Write(ctx, copies)
	}
	return err
}

// cleanCopies removes copies that only old pages refer to.
func (r *rewriting) cleanCopies(ctx context.Context) {
	if r.ledger == nil {
		return
	}
	if _, err := r.ledger.Clean(ctx, assets.Retention{Releases: r.keep}); err != nil {
		r.out.Warn("copies of old assets are not removed: %v", err)
	}
}

// uncompress removes the precompressed variants of documents that have changed, which
// a web server would send all the same.
func (r *rewriting) uncompress(ctx context.Context, all []assets.Rewritten, o atomicfile.Options) error {
	var paths []string
	for _, d := range all {
		if d.Changed && d.Path != "" {
			paths = append(paths, d.Path)
		}
	}
	_, err := assets.Uncompress(ctx, r.root, paths, o)
	return err
}

// openCache opens what was remembered: in the state directory of the
// configuration, if it is there, or of the user. It is found by what is rewritten,
// and holds for one way to do that, one revision, and this program. Without one
// everything is read.
func (r *rewriting) openCache(site *assets.Site, args []string) *assets.Cache {
	if r.noCache {
		return nil
	}
	dir := r.state
	if _, err := os.Stat(dir); dir == "" || err != nil {
		if dir, err = userStateDir(); err != nil {
			return nil
		}
	}
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	info, err := os.Stat(program)
	if err != nil {
		return nil
	}
	what := fmt.Sprintf("%q %q %q %q %q", r.root, r.base, r.config, r.env, args)
	settings := fmt.Sprintf("%q %q %q %q %q %q %q %v %q %v %q %d %d",
		what, site.URL, site.Hosts, site.Param, r.version, site.Rev, site.Style, site.Modules, site.Attributes, site.Strict, version(), info.Size(), info.ModTime().UnixNano())
	name := sha256.Sum256([]byte(what))
	return assets.OpenCache(filepath.Join(dir, "assets", hex.EncodeToString(name[:10])+".cache"), settings)
}

// slow is how long work takes before it has a bar, and between two looks at it.
const slow = 200 * time.Millisecond

// progress returns what shows how many documents of n are done, and what ends that.
func (a *app) progress(n int) (show func(done int), over func()) {
	var next atomic.Int64
	next.Store(time.Now().Add(slow).UnixNano())
	show = func(done int) {
		now, due := time.Now(), next.Load()
		if now.UnixNano() >= due && next.CompareAndSwap(due, now.Add(slow).UnixNano()) {
			a.out.Progress("files", done, n)
		}
	}
	return show, func() { a.out.Progress("files", n, n) }
}

// newResult is of nothing done yet.
func (r *rewriting) newResult() *rewriteResult {
	result := &rewriteResult{Changed: []string{}}
	for _, dir := range r.unread {
		result.Unreadable = append(result.Unreadable, shown(dir))
	}
	return result
}

// tell tells what became of the documents. Its error is theirs.
func (r *rewriting) tell(site *assets.Site, all []assets.Rewritten) error {
	return r.tellAll(site, all, r.newResult())
}

func (r *rewriting) tellAll(site *assets.Site, all []assets.Rewritten, result *rewriteResult) error {
	result.Unseen = r.unseen(site)
	var errs []error
	for _, d := range all {
		result.add(d)
		if d.Err != nil {
			errs = append(errs, told(d.Err)...)
		}
	}
	if !r.strict {
		result.warn(r.app)
	}
	err := r.did(result, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, result.summary("rewrote"))
		return err
	})
	return errors.Join(append(errs, err)...)
}

// unseen is the document because of which no module of the site has a version.
func (r *rewriting) unseen(site *assets.Site) string {
	if name := site.Unseen(); name != "" {
		return shown(filepath.Join(r.root, filepath.FromSlash(name)))
	}
	return ""
}

// told are the errors that one is told as: a reference each that names no file.
func told(err error) []error {
	if err == nil {
		return nil
	}
	missing, ok := errors.AsType[*assets.MissingError](err)
	if !ok {
		return []error{err}
	}
	var all []error
	for _, r := range named(missing.References) {
		all = append(all, &referenceError{r})
	}
	return all
}

// referenceError is a reference that names no file.
type referenceError struct{ assets.Reference }

func (e *referenceError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %q names no file", e.File, e.Line, e.Column, e.URL)
}

// Position is where the URL stands.
func (e *referenceError) Position() (file string, line, column int) { return e.File, e.Line, e.Column }

// showDiff shows what would be written.
func (r *rewriting) showDiff(ctx context.Context, site *assets.Site, docs []assets.Document) error {
	result := r.newResult()
	wrong := r.inMemory(ctx, site, docs, func(f assets.File) {
		diff := release.Diff(strings.TrimPrefix(shown(f.Name), "/"), f.Source, f.Out, 3)
		result.Diff += string(diff)
		result.add(assets.Rewritten{
			Document: f.Document, Changed: len(diff) > 0, References: len(f.References),
			Missing: f.Missing, Mismatched: f.Mismatched, Skipped: f.Skipped,
		})
	})
	if ctx.Err() != nil {
		return wrong
	}
	result.Unseen = r.unseen(site)
	if !r.strict {
		result.warn(r.app)
	}
	if !r.json && len(result.Changed) > 0 {
		r.out.Info("%s", result.summary("would rewrite"))
		return errors.Join(wrong, r.out.Diff([]byte(result.Diff)))
	}
	err := r.out.Result(result, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, result.summary(""))
		return err
	})
	return errors.Join(wrong, err)
}

// showReferences lists the references.
func (r *rewriting) showReferences(ctx context.Context, site *assets.Site, docs []assets.Document) error {
	result := r.newResult()
	references := []assets.Reference{}
	wrong := r.inMemory(ctx, site, docs, func(f assets.File) {
		references = append(references, named(f.References)...)
		result.add(assets.Rewritten{Document: f.Document, Missing: f.Missing, Mismatched: f.Mismatched, Skipped: f.Skipped})
	})
	if ctx.Err() != nil {
		return wrong
	}
	result.Unseen = r.unseen(site)
	if !r.strict {
		result.warn(r.app)
	}
	err := r.out.Result(references, func(w io.Writer) error {
		for _, f := range references {
			if _, err := fmt.Fprintf(w, "%s:%d:%d: %s → %s  %s\n", f.File, f.Line, f.Column, f.URL, f.Path, f.New); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(wrong, err)
}
