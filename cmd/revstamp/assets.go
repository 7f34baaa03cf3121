package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/spf13/cobra"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/config"
	"revstamp/stamp/atomicfile"
	"revstamp/vcs"
)

func newAssets(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "assets",
		Short: "Version the assets of a site",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{msg: "what to do with the assets is not said", hint: "it is assets rewrite, assets watch, assets manifest or assets serve"}
		},
	}
	cmd.AddCommand(newRewrite(a), newWatch(a), newManifest(a), newServe(a))
	return cmd
}

// assetSite is what the flags of an assets command say of the site. Where they
// say nothing, the configuration does, if there is one.
type assetSite struct {
	*app
	root, url, version, style, modules, rev, param string
	attributes                                     []string
	given                                          func(flag string) bool

	into string // directory that is written in the place of the root; "" for none

	// Ledgers of fingerprinted copies, nil when there can be none: of those that are
	// written, and of those in the root.
	ledger, copies *assets.Ledger
}

func (s *assetSite) flags(cmd *cobra.Command) {
	s.addressFlags(cmd)
	s.rootFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&s.version, "version", "revision", "what a version is: revision, file for the one that last changed the asset, or digest")
	f.StringVar(&s.style, "style", "query", "where versions stand: query, or name for fingerprinted names, whose versions are digests")
	f.StringVar(&s.modules, "modules", "auto", "whether the URLs of JavaScript modules get versions: all, none, or auto for all if all who import them are rewritten")
	f.StringSliceVar(&s.attributes, "attribute", nil, "further `attributes` of HTML that hold URLs of assets, as data-src")
	f.StringVar(&s.rev, "rev", "", "the `revision`; by default the working copy's, shortened")
}

func (s *assetSite) addressFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.url, "url", "/", "the `path` that the asset root is served under")
	f.StringVar(&s.param, "param", "v", "the query `parameter` that holds the version")
	s.given = f.Changed
}

// rootFlag is for commands that need no version.
func (s *assetSite) rootFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.root, "root", "", "the asset root: the `directory` that is served")
}

// configured is what revstamp.yaml says of the assets; nil without it.
func (s *assetSite) configured() (*config.Config, error) {
	if _, err := os.Stat(s.config); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	site, err := s.site()
	if err != nil || site.Config.Assets == nil {
		return nil, err
	}
	return site.Config, nil
}

// address takes from the configuration what no flag says of the URLs.
func (s *assetSite) address() error {
	cfg, err := s.configured()
	if cfg != nil {
		s.fill("url", &s.url, cfg.Assets.URL)
		s.fill("param", &s.param, cfg.Assets.Param)
	}
	return err
}

// fill sets what a flag does not.
func (s *assetSite) fill(flag string, to *string, value string) {
	if !s.given(flag) {
		*to = value
	}
}

// configure takes from the configuration what no flag says.
func (s *assetSite) configure() error {
	cfg, err := s.configured()
	if err != nil {
		return err
	}
	if cfg != nil {
		s.fill("root", &s.root, cfg.Abs(cfg.Assets.Root))
		s.fill("version", &s.version, string(cfg.Assets.Version))
		s.fill("style", &s.style, string(cfg.Assets.Style))
		if !s.given("attribute") {
			s.attributes = cfg.Assets.Attributes
		}
		s.fill("modules", &s.modules, string(cfg.Assets.Modules))
		s.fill("url", &s.url, cfg.Assets.URL)
		s.fill("param", &s.param, cfg.Assets.Param)
	}
	if s.style == string(assets.ByName) && !s.given("version") {
		s.version = string(config.ByDigest)
	}
	if s.root == "" {
		return &usageError{msg: "the asset root is not known", hint: "name it with --root, or as assets.root in " + s.config}
	}
	return nil
}

// open returns the site, and the revision that it is at; that is empty where
// versions are digests and nobody can tell it, or, as told says, needs it.
func (s *assetSite) open(ctx context.Context, told bool) (site *assets.Site, rev string, err error) {
	if err := s.configure(); err != nil {
		return nil, "", err
	}
	if info, err := os.Stat(s.root); err != nil {
		return nil, "", err
	} else if !info.IsDir() {
		return nil, "", fmt.Errorf("%q is no directory", s.root)
	}
	if err := s.check(); err != nil {
		return nil, "", err
	}
	by := config.Version(s.version)
	var now vcs.Revision
	var wc vcs.WorkingCopy
	if by == config.ByFile || s.rev == "" && (told || by == config.ByRevision) {
		switch now, wc, err = s.lookUp(ctx, "."); {
		case err != nil && by == config.ByRevision:
			return nil, "", orSay(err, "--rev")
		case err != nil && by == config.ByFile:
			return nil, "", err
		}
	}
	if rev = s.rev; rev == "" {
		if _, rev, err = s.nameOf(now); err != nil {
			return nil, "", err
		}
	}
	site = &assets.Site{FS: assets.Dir(s.root), URL: s.url, Param: s.param, Style: assets.Style(s.style), Modules: assets.Modules(s.modules), Attributes: s.attributes}
	switch by {
	case config.ByRevision:
		site.Rev = rev
	case config.ByFile:
		if err := s.byFile(ctx, site, now, wc); err != nil {
			return nil, "", err
		}
	}
	return site, rev, s.openLedger(site)
}

// checkAddress refuses a --url, a --param or an --attribute that can be none.
func (s *assetSite) checkAddress() error {
	site := &assets.Site{FS: assets.Dir("."), URL: s.url, Param: s.param, Attributes: s.attributes}
	if _, _, err := site.Address(); err != nil {
		return &usageError{msg: err.Error(), hint: "write --url as /static, --param as v, and --attribute as data-src"}
	}
	return nil
}

// check refuses words that mean nothing.
func (s *assetSite) check() error {
	if err := s.checkAddress(); err != nil {
		return err
	}
	switch config.Version(s.version) {
	case config.ByRevision, config.ByFile, config.ByDigest:
	default:
		return &usageError{msg: fmt.Sprintf("version %q is not known", s.version), hint: "it is revision, file or digest"}
	}
	switch assets.Style(s.style) {
	case assets.ByQuery:
	case assets.ByName:
		if s.version != string(config.ByDigest) {
			return &usageError{msg: "versions in names are digests", hint: "leave out --version"}
		}
	default:
		return &usageError{msg: fmt.Sprintf("style %q is not known", s.style), hint: "it is query or name"}
	}
	switch assets.Modules(s.modules) {
	case assets.ModulesWhenKnown, assets.AllModules, assets.NoModules:
	default:
		return &usageError{msg: fmt.Sprintf("modules %q is not known", s.modules), hint: "it is auto, all or none"}
	}
	return nil
}

// openLedger opens those of the copies under fingerprinted names, if there are any
// or will be.
func (s *assetSite) openLedger(site *assets.Site) (err error) {
	byName := site.Style == assets.ByName
	if s.copies, err = ledgerIn(s.root, byName && s.into == ""); err != nil {
		return err
	}
	if s.ledger = s.copies; s.into != "" {
		if s.ledger, err = ledgerIn(s.into, byName); err != nil {
			return err
		}
	}
	if s.ledger != nil || s.copies != nil {
		site.Written = func(path string) bool {
			return s.copies != nil && s.copies.Wrote(path) || s.ledger != nil && s.ledger.Wrote(path)
		}
	}
	return nil
}

// ledgerIn opens the ledger in a directory, if it is there or wanted.
func ledgerIn(dir string, wanted bool) (*assets.Ledger, error) {
	if _, err := os.Stat(filepath.Join(dir, assets.LedgerName)); errors.Is(err, fs.ErrNotExist) && !wanted {
		return nil, nil
	}
	return assets.OpenLedger(dir)
}

// rewritten reports of an asset whether the configuration says that it is
// rewritten itself; nil is not known.
func (s *assetSite) rewritten() (func(path string) bool, error) {
	cfg, err := s.configured()
	if cfg == nil || err != nil {
		return nil, err
	}
	root, err := filepath.Abs(s.root)
	if err != nil {
		return nil, err
	}
	under, err := filepath.Rel(cfg.Abs("."), root)
	return func(name string) bool {
		return slices.ContainsFunc(cfg.Assets.Rewrite, func(pattern string) bool {
			return doublestar.MatchUnvalidated(pattern, filepath.ToSlash(filepath.Join(under, name)))
		})
	}, err
}

func newManifest(a *app) *cobra.Command {
	s := &assetSite{app: a}
	var shape, out string
	var origins []string
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "List the assets with their versions, for templates",
		Long: `Manifest reads every asset under the root and writes a list of them as JSON: the
versioned URL, version, digest, integrity and size of each, as they are once what
assets.rewrite names is rewritten, or without a configuration all that is under the
root. Templates read it with the helpers that "revstamp helper" writes, or in Go
with revstamp/templates.

Files whose name begins with a dot, or that lie in such a directory, are left
out, and so are documents: pages, templates and texts, and what editors, merges,
backups and dumps leave behind.

The shapes are revstamp, which the helpers read; mix, as of Laravel Mix, which
Symfony reads too, where asset() is asked for '/css/site.css' with the slash; vite;
and django, its staticfiles.json, for versions in names.
The same assets always give the same bytes.`,
		Example: `  revstamp assets manifest --root public --rev 42 -o public/manifest.json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(assets.Shapes(), shape) {
				return &usageError{msg: fmt.Sprintf("shape %q is not known", shape), hint: "it is one of " + strings.Join(assets.Shapes(), ", ")}
			}
			m, err := s.manifest(cmd.Context(), origins, out)
			if err != nil {
				return err
			}
			text, err := m.Encode(shape)
			if err != nil {
				return err
			}
			return s.write(cmd.Context(), out, text, len(m.Assets))
		},
	}
	s.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&shape, "shape", "revstamp", "the `shape`: "+strings.Join(assets.Shapes(), ", "))
	f.StringSliceVar(&origins, "origin", nil, "`https://host` that serves the assets; of several each asset has one")
	f.StringVarP(&out, "output", "o", "", "the `file` to write; by default standard output")
	return cmd
}

// isOrigin reports whether s is the beginning of URLs of assets.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || strings.ContainsAny(s, "?# \\") {
		return false
	}
	_, err = assets.Host(u.Host)
	return err == nil
}

// manifest is that of the site. What is written into the root is not part of it.
func (s *assetSite) manifest(ctx context.Context, origins []string, out string) (*assets.Manifest, error) {
	for _, o := range origins {
		if !isOrigin(o) {
			return nil, &usageError{msg: fmt.Sprintf("origin %q is none", o), hint: "write it like https://static.example.org"}
		}
	}
	site, rev, err := s.open(ctx, true)
	if err != nil {
		return nil, err
	}
	if site.Rewrites, err = s.rewritten(); err != nil {
		return nil, err
	}
	m, err := site.Manifest(ctx, assets.ManifestOptions{Revision: rev, Origins: origins})
	if err != nil {
		return nil, err
	}
	if out != "" {
		root, err1 := filepath.Abs(s.root)
		abs, err2 := filepath.Abs(out)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		if rel, err := filepath.Rel(root, abs); err == nil {
			delete(m.Assets, filepath.ToSlash(rel))
		}
	}
	return m, nil
}

func (s *assetSite) write(ctx context.Context, out string, text []byte, count int) error {
	if out == "" && s.json {
		return s.out.Result(json.RawMessage(text), nil)
	}
	if out == "" {
		_, err := os.Stdout.Write(text)
		return err
	}
	list, end := s.temps(ctx)
	defer end()
	options := atomicfile.Options{Create: true, Warn: func(msg string) { s.out.Warn("%s", msg) }}
	list.follow(&options)
	changed, err := atomicfile.Replace(ctx, out, options, func(old []byte) ([]byte, error) {
		if bytes.Equal(old, text) {
			return old, nil
		}
		return text, nil
	})
	if err != nil {
		return err
	}
	result := map[string]any{"file": shown(out), "assets": count, "changed": changed}
	return s.out.Result(result, func(w io.Writer) error {
		said := "wrote"
		if !changed {
			said = "nothing changed in"
		}
		_, err := fmt.Fprintf(w, "%s %s: %d assets\n", said, shown(out), count)
		return err
	})
}
