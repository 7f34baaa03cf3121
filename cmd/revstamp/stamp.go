package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/release"
	"revstamp/stamp"
	"revstamp/stamp/atomicfile"
)

// stamping is the command stamp: its flags.
type stamping struct {
	*app
	target   stamp.Target
	hasValue bool
	list     bool
	dry      bool
	context  int
	backups  atomicfile.Backups
	files    atomicfile.Options
	lax      bool
	named    bool // a file is, if only by an empty name
}

func newStamp(a *app) *cobra.Command {
	s := &stamping{app: a}
	cmd := &cobra.Command{
		Use:   "stamp [--file FILE (--key KEY | --match RE | --placeholder TEXT) [--value VALUE]]",
		Short: "Put a value into a configuration file, and change nothing else in it",
		Long: `Stamp replaces the value of a key in a configuration file: those bytes and no
others, through a temporary file and a rename. Without --value it is the revision
of the working copy. The formats are known by file name. FILE may be "-": the
text is then read from standard input and written to standard output.

With --list it shows the keys of a file instead, so that the right one can be
found. Values are not shown: they may be secrets.

Without a file it stamps all that revstamp.yaml says, or nothing when one of
the keys cannot be stamped.`,
		Example: `  revstamp stamp --file config/config.php --key '$config['\''svn'\'']' --value 4168
  revstamp stamp --file .env --key APP_REVISION -n
  revstamp stamp --list config/services.yaml
  revstamp stamp --file - --format json --key rev --value 42 <in.json >out.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			debug.SetGCPercent(-1)
			debug.SetMemoryLimit(little)
			s.hasValue = cmd.Flags().Changed("value")
			s.named = cmd.Flags().Changed("file") || len(args) > 0
			if s.target.File == "" {
				s.target.File = optional(args)
			} else if len(args) > 0 {
				return &usageError{msg: fmt.Sprintf("%q is one file more than --file names", args[0]), hint: "stamp one file at a time, or name all of them in revstamp.yaml"}
			}
			return s.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	t := &s.target
	f.StringVarP(&t.File, "file", "f", "", "the `file` to stamp; - is standard input")
	f.StringVarP(&t.Key, "key", "k", "", "the `key` whose value it is")
	f.StringVar(&t.Match, "match", "", "a regular `expression` with one group, which is the value")
	f.StringVar(&t.Placeholder, "placeholder", "", "literal `text` to replace")
	f.StringVar(&t.Value, "value", "", "the `value`; by default the working copy's revision")
	f.BoolVar(&t.Newlines, "newlines", false, "let the value hold line feeds, where the format has an escape for them")
	f.StringVar(&t.Format, "format", "", "the file's `format`: "+strings.Join(stamp.Formats(), ", "))
	f.StringVar(&t.Type, "type", "", "string: a number may become a string")
	f.BoolVar(&t.All, "all", false, "stamp every occurrence of the key")
	f.BoolVar(&s.list, "list", false, "show the keys of the file that can be stamped")
	f.BoolVarP(&s.dry, "dry-run", "n", false, "show the difference and write nothing")
	f.StringVar(&s.backups.Dir, "backups", "", "keep what the file held in this `directory`")
	s.backups.Keep = 10
	naturalVar(cmd, &s.backups.Keep, "keep", "", "how many backups of a file to keep; 0 is all")
	f.BoolVar(&s.lax, "owner-best-effort", false, "go on when the file's owner cannot be kept")
	f.BoolVar(&s.files.InPlace, "in-place", false, "write in place where a bind mount makes renaming impossible")
	contextFlag(cmd, &s.context)
	return cmd
}

// little is how much memory a stamp may take before any is collected: it is over
// sooner than a collection would be.
const little = 256 << 20

// stdin is the file name that stands for standard input and output.
const stdin = "-"

func (s *stamping) run(ctx context.Context) error {
	t := &s.target
	chosen := t.Key != "" || t.Match != "" || t.Placeholder != ""
	switch {
	case t.File == "" && (s.named || s.list || chosen || s.hasValue):
		return &usageError{msg: "which file is meant is not said", hint: "name it with --file"}
	case s.list && (chosen || s.hasValue):
		return &usageError{msg: "--list shows keys and stamps none", hint: "leave out the key and the value"}
	case s.list:
		return s.showKeys()
	case t.File == "":
		return s.configured(ctx)
	}
	if !s.hasValue {
		rev, err := s.revision(ctx, ".")
		if err != nil {
			return orSay(err, "--value")
		}
		if t.Value, _, err = s.nameOf(rev); err != nil {
			return err
		}
	}
	if t.File == stdin {
		return s.filter()
	}
	return s.stamped(ctx, func(files atomicfile.Options) (*stamp.Plan, error) {
		stamper := stamp.Stamper{Options: files}
		if s.backups.Dir != "" {
			if err := s.unserved(s.backups.Dir); err != nil {
				return nil, err
			}
			stamper.Backups = &s.backups
		}
		if s.dry {
			return stamper.Plan([]stamp.Target{*t})
		}
		return stamper.Stamp(ctx, []stamp.Target{*t})
	})
}

// unserved refuses a directory for backups that visitors of the configured
// site, if there is one here, could read.
func (s *stamping) unserved(dir string) error {
	if _, err := os.Stat(s.config); err != nil {
		return nil
	}
	site, err := s.site()
	if err != nil || site.Config.Assets == nil {
		return err
	}
	root := site.Config.Abs(site.Config.Assets.Root)
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(root, abs); err == nil && filepath.IsLocal(rel) {
		return &usageError{
			msg:  fmt.Sprintf("backups in %q would be served to visitors: it is under assets.root, %q", dir, site.Config.Assets.Root),
			hint: "keep them outside of what is served",
		}
	}
	return nil
}

// configured stamps what revstamp.yaml says.
func (s *stamping) configured(ctx context.Context) error {
	if _, err := os.Stat(s.config); errors.Is(err, os.ErrNotExist) {
		return &usageError{
			msg:  fmt.Sprintf("which file to stamp is not said, and there is no %s that says it", s.config),
			hint: "name it with --file, or begin a configuration with 'revstamp init'",
		}
	}
	if s.backups.Dir != "" {
		return &usageError{msg: "with a configuration, backups are kept in its state directory", hint: "leave out --backups"}
	}
	site, err := s.site()
	if err != nil {
		return err
	}
	return s.stamped(ctx, func(files atomicfile.Options) (*stamp.Plan, error) {
		return site.Stamp(ctx, files, s.dry)
	})
}

// stamped calls do, whose temporary files are remembered meanwhile, and tells
// what came of its plan.
func (s *stamping) stamped(ctx context.Context, do func(atomicfile.Options) (*stamp.Plan, error)) error {
	files := s.files
	files.Warn = func(msg string) { s.out.Warn("%s", msg) }
	files.RecordInPlace = func(path string, b atomicfile.Backup) error {
		s.out.Warn("%s is written in place; should this be killed, what it held is in %s", shown(path), b.Path)
		return nil
	}
	if s.lax {
		files.Owner = atomicfile.OwnerBestEffort
	}
	if !s.dry {
		list, closeList := s.temps(ctx)
		defer closeList()
		list.follow(&files)
	}
	plan, err := do(files)
	if plan != nil {
		defer plan.Close()
	}
	if err != nil {
		return err
	}
	return s.show(plan.Files)
}

// temps begins the list of this run's temporary files. Without one it goes on,
// for the list is needed by nobody but the run after a killed one.
func (a *app) temps(ctx context.Context) (list *temps, end func()) {
	list, err := openTemps(ctx)
	if err != nil {
		a.out.Warn("a temporary file would be left behind if this were killed: %v", err)
		list = &temps{}
	}
	return list, func() {
		if err := list.Close(); err != nil {
			a.out.Warn("%v", err)
		}
	}
}

// filter stamps the text at standard input.
func (s *stamping) filter() error {
	if s.json && !s.dry {
		return &usageError{msg: "the stamped text and --json both want standard output", hint: "leave out --json, or add -n"}
	}
	if s.backups.Dir != "" {
		return &usageError{msg: "of standard input no backup can be kept", hint: "leave out --backups"}
	}
	before, err := s.read(stdin)
	if err != nil {
		return err
	}
	file := stamp.FileEdit{Path: stdin, Before: before}
	if file.After, file.Changes, err = s.target.Edit(before); err != nil {
		return err
	}
	if s.dry {
		return s.show([]stamp.FileEdit{file})
	}
	_, err = os.Stdout.Write(file.After)
	return err
}

// maxInput is how much is read of a text that is not stamped where it lies.
const maxInput = 256 << 20

func (s *stamping) read(name string) ([]byte, error) {
	if name != stdin {
		f, err := atomicfile.Open(name, s.files)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return f.Data(), nil
	}
	data, err := io.ReadAll(io.LimitReader(os.Stdin, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	if len(data) > maxInput {
		return nil, fmt.Errorf("standard input: more than %d MiB", maxInput>>20)
	}
	return data, nil
}

// showKeys lists the keys of the file.
func (s *stamping) showKeys() error {
	src, err := s.read(s.target.File)
	if err != nil {
		return err
	}
	entries, err := stamp.List(s.target.File, s.target.Format, src)
	if err != nil {
		return err
	}
	if entries == nil {
		entries = []stamp.Entry{} // none, and not nothing, in JSON
	}
	refused := 0
	for _, e := range entries {
		if e.Refused != "" {
			refused++
		}
	}
	err = s.out.Result(entries, func(w io.Writer) error { return writeKeys(w, entries, len(entries)-refused) })
	if refused > 0 && err == nil && !s.json {
		s.out.Info("keys that hold no plain value are left out (%d); --json tells them too, and what they hold", refused)
	}
	return err
}

// writeKeys lists the n entries that can be stamped.
func writeKeys(w io.Writer, entries []stamp.Entry, n int) error {
	if n == 0 {
		_, err := fmt.Fprintln(w, "no key of this file holds a value that can be stamped")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PLACE\tTYPE\tKEY")
	for _, e := range entries {
		if e.Refused != "" {
			continue
		}
		note := ""
		if e.Times > 1 {
			note = fmt.Sprintf("\t(%d times, needs --all)", e.Times)
		}
		fmt.Fprintf(table, "%d:%d\t%s\t%s%s\n", e.Line, e.Column, e.Type, e.Key, note)
	}
	return table.Flush()
}

// stampResult is what stamp tells in JSON.
type stampResult struct {
	Changes []stamp.Change `json:"changes"`
	Written bool           `json:"written"`
	Diff    string         `json:"diff,omitempty"` // with --dry-run
}

// show tells what was, or with dry would be, changed.
func (s *stamping) show(files []stamp.FileEdit) error {
	r := stampResult{Changes: []stamp.Change{}}
	for _, file := range files {
		for _, c := range file.Changes {
			c.File = shown(c.File)
			r.Changes = append(r.Changes, c)
		}
		if s.dry {
			r.Diff += string(release.Diff(strings.TrimPrefix(shown(file.Path), "/"), file.Before, file.After, s.context))
		}
	}
	r.Written = !s.dry && len(r.Changes) > 0
	if s.dry && !s.json && len(r.Changes) > 0 {
		return s.out.Diff([]byte(r.Diff))
	}
	tell := s.out.Result
	if r.Written {
		tell = s.did
	}
	return tell(r, func(w io.Writer) error {
		if len(r.Changes) == 0 {
			_, err := fmt.Fprintln(w, "nothing to do: "+isThere(files))
			return err
		}
		for _, c := range r.Changes {
			if _, err := fmt.Fprintf(w, "%s:%d: %s: %q → %q\n", c.File, c.Line, c.Key, c.Old, c.New); err != nil {
				return err
			}
		}
		return nil
	})
}

func isThere(files []stamp.FileEdit) string {
	if len(files) == 1 {
		return "the value is there"
	}
	return "the values are there"
}

// shown is a file's name as it is told: relative when it is below the present
// directory.
func shown(name string) string {
	if !filepath.IsAbs(name) {
		return name
	}
	wd, err := workingDir()
	if err != nil {
		return name
	}
	if rel, err := filepath.Rel(wd, name); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return name
}

// workingDir is asked for once: no command changes it, and there may be many names
// to tell.
var workingDir = sync.OnceValues(os.Getwd)
