package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/release"
)

// errFound is what check ends with when it found a problem, of which it has told.
var errFound = errors.New("there are problems")

func newCheck(a *app) *cobra.Command {
	var page string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for what would go wrong, before anybody is hurt",
		Long: `Check looks at all that a release needs: the configuration, the repository, the
files, the space, the hooks and the job servers. It changes nothing.

With --url it looks at the site as a visitor does: the page and the assets of the
site that it refers to are there, each with the version that is live and to be
kept for a year, and nothing is served that is for no visitor.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			var found []release.Finding
			if page == "" {
				found = s.Inspect(cmd.Context(), hint)
			} else if found, err = visit(cmd.Context(), s, page); err != nil {
				return err
			}
			if err := a.tell(found); err != nil {
				return err
			}
			if slices.ContainsFunc(found, func(f release.Finding) bool { return f.Level == release.Problem }) {
				return errFound
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&page, "url", "", "look at the page at `URL` as a visitor")
	return cmd
}

func (a *app) tell(found []release.Finding) error {
	mark := map[release.Level]string{release.Good: "ok", release.Doubt: "doubt", release.Problem: "PROBLEM"}
	return a.out.Result(found, func(w io.Writer) error {
		for _, f := range found {
			fmt.Fprintf(w, "%-8s %-8s %s\n", mark[f.Level], f.Topic, f.Text)
			if f.Remedy != "" {
				fmt.Fprintf(w, "%17s hint: %s\n", "", f.Remedy)
			}
		}
		return nil
	})
}

// visit looks at a page as a visitor.
func visit(ctx context.Context, s *release.Site, page string) ([]release.Finding, error) {
	live, err := s.Current()
	if err != nil {
		return nil, err
	}
	site, err := s.LiveAssets(ctx, live)
	if err != nil {
		return nil, err
	}
	v := &visitor{page: page, assets: site}
	return v.look(ctx)
}
