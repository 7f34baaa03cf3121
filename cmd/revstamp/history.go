package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/release"
)

func newStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell what is live, since when and by whom",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			r, err := orNil(s.Find(""))
			if err != nil {
				return err
			}
			live := r
			if r != nil && r.Status != release.Live {
				if live, err = orNil(s.Current()); err != nil {
					return err
				}
			}
			v := map[string]any{"site": s.Config.Site, "live": live}
			if r != live {
				v["newest"] = r
			}
			over := r != nil && r.Status != release.Running && r.Status != release.Unfinished
			astray := live != nil && over && s.Astray(live)
			if astray {
				v["astray"] = true
			}
			return a.out.Result(v, func(w io.Writer) error {
				err := writeStatus(w, s.Config.Site, live, r)
				if err == nil && astray {
					_, err = fmt.Fprintf(w, "but %s does not lead there: put it right with 'revstamp release'\n", s.Config.Current())
				}
				return err
			})
		},
	}
}

// orNil is r, or nil where there is no release, which is no error of who only asks
// how things are.
func orNil(r *release.Release, err error) (*release.Release, error) {
	if release.IsNotFound(err) {
		return nil, nil
	}
	return r, err
}

func writeStatus(w io.Writer, site string, live, newest *release.Release) error {
	if newest == nil {
		_, err := fmt.Fprintf(w, "%s: there is no release yet\n", site)
		return err
	}
	if live == nil {
		fmt.Fprintf(w, "%s: no release is complete yet\n", site)
	} else {
		fmt.Fprintf(w, "%s is at %s, release %s, since %s, by %s@%s\n",
			site, name(live.To), live.ID, when(live.Ended), live.User, live.Host)
		writeJobs(w, live.Jobs)
	}
	if newest != live {
		fmt.Fprintf(w, "release %s (%s) %s in step %s\n", newest.ID, name(newest.To), became(newest.Status), newest.Step)
	}
	if newest.Status == release.Unfinished {
		fmt.Fprintln(w, hintOf(release.Interrupted))
	}
	return nil
}

// became is what is said of a release that is not live.
func became(s release.Status) string {
	switch s {
	case release.Failed:
		return "failed"
	case release.Unfinished, release.Aborted:
		return "was " + string(s)
	}
	return "is " + string(s)
}

func newHistory(a *app) *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List the releases, newest first",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			all, err := s.History(most)
			if err != nil {
				return err
			}
			if all == nil {
				all = []*release.Release{} // none, and not nothing, in JSON
			}
			return a.out.Result(all, func(w io.Writer) error { return writeHistory(w, all) })
		},
	}
	naturalVar(cmd, &most, "limit", "n", "list the newest `NUMBER` of them; 0 is all")
	return cmd
}

func writeHistory(w io.Writer, all []*release.Release) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no release yet")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tREVISION\tSTATUS\tBEGAN\tTOOK\tBY\tJOBS")
	for _, r := range all {
		status := string(r.Status)
		if r.Rollback != "" {
			status += ", back to " + r.Rollback
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, name(r.To), status, when(r.Since), took(r), r.User, release.Tally(r.Jobs))
	}
	return t.Flush()
}

func took(r *release.Release) string {
	if r.Ended.Before(r.Since) { // it has not ended, or the clock was set back meanwhile
		return ""
	}
	return r.Ended.Sub(r.Since).Round(time.Millisecond).String()
}

func when(t time.Time) string { return t.Local().Format(time.DateTime) }

func newShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show [ID]",
		Short: "Tell all about a release, by default the newest",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			r, err := s.Show(optional(args))
			if err != nil {
				return err
			}
			return a.out.Result(r, func(w io.Writer) error { return writeRelease(w, r) })
		},
	}
}

func optional(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return ""
}

func writeRelease(w io.Writer, r *release.Release) error {
	fmt.Fprintf(w, "release %s of %s: %s\n", r.ID, r.Site, r.Status)
	if r.Detail != "" {
		fmt.Fprintf(w, "  %s\n", r.Detail)
	}
	fmt.Fprintf(w, "  %s → %s\n", orNothing(r.From), name(r.To))
	if r.Rollback != "" {
		fmt.Fprintf(w, "  back to release %s\n", r.Rollback)
	}
	fmt.Fprintf(w, "  by %v\n\n", r.Holder)
	if len(r.Local) > 0 {
		fmt.Fprintf(w, "local changes:\n%s\n", localLines(r.Local))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, step := range r.Steps {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", step.Name, step.State, step.Took.Round(time.Millisecond), step.Detail)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(r.Jobs) > 0 {
		fmt.Fprintln(w)
	}
	return writeJobs(w, r.Jobs)
}

func writeJobs(w io.Writer, jobs []release.Job) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, j := range jobs {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", j.Function, j.State, j.Server, j.Handle)
		if j.Report == nil || j.State == "succeeded" {
			continue
		}
		for _, line := range j.Report.Output {
			fmt.Fprintf(t, "    | %s\n", line)
		}
	}
	return t.Flush()
}

func newFollow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "follow [ID]",
		Short: "Follow the jobs of a release to their outcomes",
		Long: `Follow watches a release that another process is at, and follows the jobs of a
live one, by default the newest, until each has an outcome. It may be stopped
and started again at any time, on its own.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			a.out.Begin("follow " + s.Config.Site)
			r, err := s.Follow(cmd.Context(), optional(args))
			if err != nil {
				return err
			}
			a.out.End(fmt.Sprintf("release %s: %s", r.ID, orNone(release.Tally(r.Jobs))))
			return a.out.Result(r, nothing)
		},
	}
}

func orNone(s string) string {
	if s == "" {
		return "no jobs"
	}
	return s
}
