package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/release"
	"revstamp/stamp"
	"revstamp/stamp/atomicfile"
)

func newStamp(a *app) *cobra.Command {
	var (
		t       stamp.Target
		dry     bool
		backups atomicfile.Backups
		opts    atomicfile.Options
		lax     bool
	)
	cmd := &cobra.Command{
		Use:   "stamp --file FILE (--key KEY | --match RE | --placeholder TEXT) [--value VALUE]",
		Short: "Put a value into a configuration file, and change nothing else in it",
		Long: `Stamp replaces the value of a key in a configuration file: those bytes and no
others, through a temporary file and a rename. Without --value it is the revision
of the working copy. The formats are known by file name.`,
		Example: `  revstamp stamp --file config/config.php --key '$config['\''svn'\'']' --value 4168
  revstamp stamp --file .env --key APP_REVISION -n`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if t.File == "" {
				return &usageError{msg: "which file to stamp is not said", hint: "name it with --file"}
			}
			if !cmd.Flags().Changed("value") {
				rev, err := a.revision(cmd.Context(), ".")
				if err != nil {
					return err
				}
				t.Value = rev.ID
			}
			if lax {
				opts.Owner = atomicfile.OwnerBestEffort
			}
			list := &temps{}
			if !dry {
				opened, err := openTemps(cmd.Context())
				if err != nil {
					a.out.Warn("a temporary file would be left behind if this were killed: %v", err)
				} else {
					list = opened
				}
			}
			defer list.Close()
			opts.Record = list.record
			opts.Warn = func(msg string) { a.out.Warn("%s", msg) }
			s := stamp.Stamper{Options: opts}
			if backups.Dir != "" {
				s.Backups = &backups
			}
			plan, err := s.Plan([]stamp.Target{t})
			if err != nil {
				return err
			}
			if !dry {
				if err := plan.Commit(cmd.Context()); err != nil {
					return err
				}
			}
			return a.showStamped(plan, dry)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&t.File, "file", "f", "", "the `file` to stamp")
	f.StringVarP(&t.Key, "key", "k", "", "the `key` whose value it is")
	f.StringVar(&t.Match, "match", "", "a regular `expression` with one group, which is the value")
	f.StringVar(&t.Placeholder, "placeholder", "", "literal `text` to replace")
	f.StringVar(&t.Value, "value", "", "the `value`; by default the working copy's revision")
	f.StringVar(&t.Format, "format", "", "the file's `format`: php, yaml, json, env or plain")
	f.StringVar(&t.Type, "type", "", "string: a number may become a string")
	f.BoolVar(&t.All, "all", false, "stamp every occurrence of the key")
	f.BoolVarP(&dry, "dry-run", "n", false, "show the difference and write nothing")
	f.StringVar(&backups.Dir, "backups", "", "keep what the file held in this `directory`")
	f.IntVar(&backups.Keep, "keep", 10, "how many backups of a file to keep")
	f.BoolVar(&lax, "owner-best-effort", false, "go on when the file's owner cannot be kept")
	f.BoolVar(&opts.InPlace, "in-place", false, "write in place where a bind mount makes renaming impossible")
	return cmd
}

// showStamped tells what was, or with dry would be, changed.
func (a *app) showStamped(plan *stamp.Plan, dry bool) error {
	var changes []stamp.Change
	for _, file := range plan.Files {
		changes = append(changes, file.Changes...)
	}
	if dry && !a.json {
		for _, file := range plan.Files {
			if err := a.out.Diff(release.Diff(file.Path, file.Before, file.After)); err != nil {
				return err
			}
		}
		return nil
	}
	return a.out.Result(map[string]any{"changes": changes, "written": !dry && len(changes) > 0}, func(w io.Writer) error {
		if len(changes) == 0 {
			_, err := fmt.Fprintln(w, "nothing to do: the value is there")
			return err
		}
		for _, c := range changes {
			if _, err := fmt.Fprintf(w, "%s:%d: %s: %q → %q\n", c.File, c.Line, c.Key, c.Old, c.New); err != nil {
				return err
			}
		}
		return nil
	})
}
