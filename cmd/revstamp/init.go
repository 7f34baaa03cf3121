package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/stamp/atomicfile"
	"revstamp/vcs"
)

func newInit(a *app) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Propose a configuration for the site in a directory",
		Long: `Init looks at the site in DIR, by default here, and writes a revstamp.yaml that
proposes what to stamp: the keys that, by their names, keep a revision. It knows
WordPress, MediaWiki, Laravel, Symfony, Rails, Django, Node, plain PHP and static
sites. It changes no other file, and no revstamp.yaml that is there.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("config") || a.env != "" {
				return &usageError{msg: "init writes revstamp.yaml in the site's own directory", hint: "name the directory, and leave out --config and --env"}
			}
			dir := optional(args)
			if dir == "" {
				dir = "."
			}
			if info, err := os.Stat(dir); err != nil {
				return err
			} else if !info.IsDir() {
				return fmt.Errorf("%q is no directory", dir)
			}
			p, err := a.propose(cmd.Context(), dir)
			if err != nil {
				return err
			}
			text := p.text()
			cfg, err := config.Parse(p.File, []byte(text))
			if err == nil {
				err = validate(cfg)
			}
			if err != nil {
				return fmt.Errorf("the proposal is no configuration, which is a defect of revstamp: %w", err)
			}
			if dry {
				return a.out.Result(p, func(w io.Writer) error {
					_, err := io.WriteString(w, text)
					return err
				})
			}
			if err := writeNew(cmd.Context(), p.File, text); err != nil {
				return err
			}
			return a.out.Result(p, p.report)
		},
	}
	cmd.Flags().BoolVarP(&dry, "dry-run", "n", false, "show the configuration and write nothing")
	return cmd
}

// proposal is a configuration for a site.
type proposal struct {
	File       string      `json:"file"`
	Kind       string      `json:"kind,omitempty"`   // of the site, "" for an unknown one
	System     string      `json:"system,omitempty"` // of version control, "" for none
	Site       string      `json:"site"`
	Root       string      `json:"root,omitempty"` // of the assets
	Candidates []candidate `json:"candidates"`

	kind   siteKind
	advice advice
}

func (a *app) propose(ctx context.Context, dir string) (*proposal, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	kind, _ := kindOfSite(abs)
	p := &proposal{
		File: filepath.Join(dir, defaultConfig), Kind: kind.name, Site: siteName(filepath.Base(abs)),
		Root: kind.assetRoot(abs), Candidates: kind.candidates(abs), kind: kind, advice: kind.advice,
	}
	p.advice.file = kind.adviceFile(abs)
	if wc, err := vcs.Open(ctx, abs, vcs.Options{Logger: a.out.Logger()}); err == nil {
		p.System = wc.System()
	}
	return p, nil
}

var notInSiteName = lazily(`[^a-z0-9]+`)

func siteName(base string) string {
	name := strings.Trim(notInSiteName().ReplaceAllString(strings.ToLower(base), "-"), "-")
	if name == "" {
		return "site"
	}
	return name
}

// writeNew makes a file that must not be there yet.
func writeNew(ctx context.Context, name, text string) error {
	f, err := atomicfile.Open(name, atomicfile.Options{Create: true})
	if err != nil {
		return err
	}
	if f.Exists() {
		f.Close()
		return &initError{name}
	}
	var b atomicfile.Batch
	b.Add(f, []byte(text))
	if err = b.Commit(ctx); errors.Is(err, atomicfile.ErrChanged) {
		return &initError{name}
	}
	return err
}

// initError refuses to write over a configuration.
type initError struct{ file string }

func (e *initError) Error() string { return fmt.Sprintf("init %q: %v", e.file, fs.ErrExist) }

func (e *initError) Unwrap() error { return fs.ErrExist }

// Hint is what to do instead.
func (e *initError) Hint() string { return "see what init would propose with 'revstamp init -n'" }

// ignoring is how a version control system is kept from the state directory, which it
// would remove with all else that it does not know. Git is by a file in it.
var ignoring = map[string]string{
	"svn": "svn propedit svn:ignore .",
	"hg":  "add it to .hgignore",
}

// text is the configuration, with comments.
func (p *proposal) text() string {
	var b strings.Builder
	of := "this site"
	if p.Kind != "" {
		of = "this " + p.Kind + " site"
	}
	fmt.Fprintf(&b, "# How %s is released. 'revstamp init' proposed this; every line is\n", of)
	b.WriteString("# yours to change. 'revstamp plan' shows what a release would do.\n")
	fmt.Fprintf(&b, "site: %s\n", yamlText(p.Site))
	if p.Root == "." {
		b.WriteString("# Outside of what is served: it holds copies of the configuration.\n")
		fmt.Fprintf(&b, "state: %s\n", yamlText("../"+p.Site+".revstamp"))
	} else if ignore := ignoring[p.System]; ignore != "" {
		fmt.Fprintf(&b, "# The state directory, .revstamp, is not for the repository: %s.\n", ignore)
	}
	if p.System == "" {
		b.WriteString("# This is no working copy of git, Subversion or Mercurial yet; a release needs one.\n")
	}
	b.WriteString("source: { path: . }  # local: save, keep or overwrite: what becomes of files changed by hand\n")
	p.writeStamp(&b)
	p.writeAssets(&b)
	b.WriteString("\n# Jobs to do once the release is live, by a command here or on Gearman job\n# servers elsewhere.\n" +
		"# jobs:\n#   queue:\n#     - { function: warm_cache, workload: '{\"revision\":\"{{.Revision}}\"}' }\n" +
		"#   workers:\n#     warm_cache: { command: [./bin/warm] }\n")
	return b.String()
}

// writeStamp proposes the keys whose names are sure, and mentions the others.
func (p *proposal) writeStamp(b *strings.Builder) {
	b.WriteString("\n# The values that become the revision. 'revstamp stamp --list FILE' shows the\n# keys of a file.\n")
	sure := p.sure()
	if len(sure) > 0 {
		b.WriteString("stamp:\n")
	} else {
		b.WriteString("# stamp:\n")
	}
	for _, c := range sure {
		fmt.Fprintf(b, "  - %s\n", c.target(p.System))
	}
	if len(sure) == 0 && p.advice.key != "" {
		fmt.Fprintf(b, "#   No key of this site keeps a revision. Add to %s:\n#     %s\n", p.advice.file, p.advice.code)
		fmt.Fprintf(b, "#   - %s\n", candidate{File: p.advice.file, Key: p.advice.key, Type: "string"}.target(p.System))
	}
	for _, c := range p.Candidates {
		if !c.Sure {
			fmt.Fprintf(b, "#   - %s  # or is it a version that you give?\n", c.target(p.System))
		}
	}
}

func (p *proposal) sure() []candidate {
	var all []candidate
	for _, c := range p.Candidates {
		if c.Sure {
			all = append(all, c)
		}
	}
	return all
}

// target is the candidate as an entry of the configuration. A number stays one
// where revisions are numbers.
func (c candidate) target(system string) string {
	value := ""
	switch {
	case c.Type == "string":
	case system == "svn":
		value = `, value: "{{.Number}}"`
	default:
		value = ", type: string"
	}
	return fmt.Sprintf("{ file: %s, key: %s%s }", yamlText(c.File), yamlText(c.Key), value)
}

func (p *proposal) writeAssets(b *strings.Builder) {
	b.WriteString("\n# References to assets get ?v=REVISION, so that browsers may keep assets long.\n")
	mark := ""
	root := p.Root
	if root == "" {
		mark, root = "# ", "public"
	}
	var globs []string
	for _, g := range p.kind.documents(root) {
		globs = append(globs, yamlText(g))
	}
	fmt.Fprintf(b, "%sassets:\n%s  root: %s\n%s  rewrite: [%s]\n", mark, mark, yamlText(root), mark, strings.Join(globs, ", "))
	b.WriteString("#   version: file  # the revision that last changed an asset; or digest, of its content\n" +
		"#   compress: [gzip, brotli]  # for web servers that send site.css.br for site.css\n")
}

var yamlWord = lazily(`^[A-Za-z_./][A-Za-z0-9._/-]*$`)

// yamlText writes s so that it is this text in YAML, in brackets too.
func yamlText(s string) string {
	switch {
	case yamlWord().MatchString(s) && !yamlReserved().MatchString(s):
		return s
	case !strings.ContainsAny(s, `"\`):
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

var yamlReserved = lazily(`^(?i:true|false|yes|no|on|off|y|n|null|\.inf|\.nan)$`)

// report says what was written, and what to do with it.
func (p *proposal) report(w io.Writer) error {
	kind := "a site of a kind that init does not know"
	if p.Kind != "" {
		kind = "a " + p.Kind + " site"
	}
	fmt.Fprintf(w, "wrote %s, for %s\n", p.File, kind)
	for _, c := range p.sure() {
		fmt.Fprintf(w, "  %s:%d: %s\n", c.File, c.Line, c.Key)
	}
	_, err := fmt.Fprintln(w, "look it over, then see what a release would do with 'revstamp plan'")
	return err
}
