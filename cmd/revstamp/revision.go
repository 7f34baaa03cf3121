package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/vcs"
)

func newRevision(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "revision [DIR]",
		Short: "Tell the revision of a working copy",
		Long: `Revision tells what the working copy in DIR, by default here, is at: its id,
followed by "+" when tracked files are modified. A mixed Subversion working copy
is told as svnversion does.`,
		Example: `  revstamp revision --format '{{.Short}} {{.Branch}}'`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := optional(args)
			if dir == "" {
				dir = "."
			}
			rev, err := a.revision(cmd.Context(), dir)
			if err != nil {
				return err
			}
			text := revisionText(rev)
			if format != "" {
				if text, err = config.Expand(format, config.Data{
					Revision: rev.ID, Short: rev.Short, Number: rev.Number, Branch: rev.Branch,
					Tag: rev.Tag, Describe: rev.Describe, Date: config.Date{Time: rev.Date},
				}); err != nil {
					return &usageError{msg: err.Error()}
				}
			}
			return a.out.Result(rev, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, text)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "Go `template` over .Revision .Short .Number .Branch .Tag .Describe .Date")
	return cmd
}

// revision reads the revision of the working copy in dir. Beside a
// configuration file that names it, the edits of revstamp do not count as
// modifications.
func (a *app) revision(ctx context.Context, dir string) (vcs.Revision, error) {
	if _, err := os.Stat(a.config); err == nil && dir == "." {
		s, err := a.site()
		if err != nil {
			return vcs.Revision{}, err
		}
		return s.Revision(ctx)
	}
	wc, err := vcs.Open(ctx, dir, vcs.Options{Logger: a.out.Logger()})
	if err != nil {
		return vcs.Revision{}, err
	}
	return wc.Revision(ctx, nil)
}

func revisionText(r vcs.Revision) string {
	switch {
	case r.Mixed != "":
		return r.Mixed
	case len(r.Modified) > 0 && r.System == "svn":
		return r.ID + "M"
	case len(r.Modified) > 0:
		return r.ID + "+"
	}
	return r.ID
}
