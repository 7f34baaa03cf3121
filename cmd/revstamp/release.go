package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/cmd/revstamp/internal/release"
	"revstamp/stamp"
	"revstamp/vcs"
)

// onRecord is told of every journal record once it is synced. Tests end the
// process in it.
var onRecord func(release.Record)

// site reads the configuration and opens its site.
func (a *app) site() (*release.Site, error) {
	overlay := ""
	if a.env != "" {
		overlay = config.Overlay(a.config, a.env)
	}
	cfg, err := config.Load(a.config, overlay)
	if err != nil {
		return nil, err
	}
	if err := validate(cfg); err != nil {
		return nil, err
	}
	if cfg.Umask >= 0 {
		syscall.Umask(cfg.Umask) // for the clients and hooks, too
	}
	s := release.Open(cfg)
	s.Observer, s.Logger, s.OnRecord, s.Validate = a.out, a.out.Logger(), onRecord, validate
	s.Redact = a.out.Redact
	s.Holder, s.Svn = release.Myself(ciJob()), svnLogin()
	return s, nil
}

// svnLogin is who Subversion's servers are told that it is. A password in the
// environment or in a file is seen by this user alone, one on a command line by all.
func svnLogin() vcs.Credentials {
	return vcs.Credentials{User: os.Getenv("REVSTAMP_SVN_USERNAME"), Password: secret("REVSTAMP_SVN_PASSWORD")}
}

// validate checks what only the packages that do the work can judge.
func validate(cfg *config.Config) error {
	var errs config.Errors
	for _, s := range cfg.Stamp {
		t := stamp.Target{
			File: s.File, Format: s.Format, Key: s.Key, Match: s.Match, Placeholder: s.Placeholder,
			Value: "0", Newlines: s.Newlines, Type: s.Type, All: s.All,
		}
		if e, ok := errors.AsType[*stamp.Error](t.Validate()); ok {
			errs = append(errs, &config.Error{
				File: s.Pos.File, Line: s.Pos.Line, Column: s.Pos.Column, Key: "stamp", Detail: e.Error(), Hint: e.Hint,
			})
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// ciJob is the address of the CI job that this process runs in.
func ciJob() string {
	if id := os.Getenv("GITHUB_RUN_ID"); id != "" {
		return os.Getenv("GITHUB_SERVER_URL") + "/" + os.Getenv("GITHUB_REPOSITORY") + "/actions/runs/" + id
	}
	return os.Getenv("CI_JOB_URL")
}

func newRelease(a *app) *cobra.Command {
	var o release.Options
	var plan string
	var local localFlag
	var detach bool
	cmd := &cobra.Command{
		Use:   "release [REV]",
		Short: "Bring the site to a revision, or to the newest one",
		Long: `Release updates the working copy to REV (a branch, tag or id; by default what
source.update in the configuration says), stamps the configuration, versions
asset references, and queues and follows the jobs. With nothing to do it
touches nothing and succeeds. Files that somebody changed by hand stop it, unless
--local says what becomes of them. With --detach it returns once the release is begun,
which goes on by itself, whatever becomes of the terminal or the connection.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if plan != "" && len(args) > 0 {
				return &usageError{msg: "a plan says what it is to be released", hint: "leave REV out, or --plan"}
			}
			if plan != "" && local != "" {
				return &usageError{msg: "a plan says what becomes of local changes", hint: "leave --local out, or --plan"}
			}
			o.Want = optional(args)
			s, err := a.siteWith(local)
			if err != nil {
				return err
			}
			if detach {
				return a.detach(cmd.Context(), s)
			}
			if plan != "" {
				if err := readPlan(plan, &o); err != nil {
					return err
				}
			}
			a.out.Begin("release " + s.Config.Site)
			r, done, err := s.Release(cmd.Context(), o)
			return a.released(s, r, done, err)
		},
	}
	waitFlag(cmd, &o)
	local.add(cmd)
	cmd.Flags().Var((*duration)(&o.Timeout), "timeout", "undo the release when it is not live after `DURATION`, 0 is never; jobs that are queued then go on")
	cmd.Flags().BoolVar(&detach, detachFlag, false, "go on in a process of its own, for revstamp follow to watch")
	cmd.Flags().StringVar(&plan, "plan", "", "carry out the plan in `FILE`, of plan --out, if nothing has moved since")
	return cmd
}

func newRollback(a *app) *cobra.Command {
	var o release.Options
	var local localFlag
	cmd := &cobra.Command{
		Use:   "rollback [ID]",
		Short: "Go back to an earlier release, configuration and references too",
		Long: `Rollback brings the site back to release ID, or to the last one of another
revision before the live one. Only a release that was complete is a target.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.siteWith(local)
			if err != nil {
				return err
			}
			id := ""
			if len(args) > 0 {
				id = args[0]
			}
			a.out.Begin("roll back " + s.Config.Site)
			r, done, err := s.Rollback(cmd.Context(), id, o)
			return a.released(s, r, done, err)
		},
	}
	waitFlag(cmd, &o)
	local.add(cmd)
	return cmd
}

func newResume(a *app) *cobra.Command {
	var o release.Options
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Finish the release that was interrupted",
		Long: `Resume finishes a release that was killed or interrupted, or queues and follows
the jobs that the live release still owes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			a.out.Begin("resume " + s.Config.Site)
			r, done, err := s.Resume(cmd.Context(), o)
			if r == nil && done {
				a.settled = true
				a.out.End("nothing to resume")
				return nil
			}
			return a.released(s, r, done, err)
		},
	}
	waitFlag(cmd, &o)
	return cmd
}

func newAbort(a *app) *cobra.Command {
	var o release.Options
	cmd := &cobra.Command{
		Use:   "abort",
		Short: "Undo the release that was interrupted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			r, done, err := s.Abort(cmd.Context(), o)
			if err != nil {
				return err
			}
			a.settled = true
			if done {
				a.out.End("nothing to abort")
				return nil
			}
			a.out.End(fmt.Sprintf("release %s was undone, the site is at %s", r.ID, name(r.From)))
			return nil
		},
	}
	waitFlag(cmd, &o)
	return cmd
}

// released says how a command that changes the site ended.
func (a *app) released(s *release.Site, r *release.Release, done bool, err error) error {
	switch {
	case r == nil || r.Status != release.Live:
		return err
	case err == nil && done:
		a.live(r, "nothing to do: %s is at %s", s.Config.Site, name(r.To))
	default:
		a.live(r, "release %s of %s is live at %s", r.ID, s.Config.Site, name(r.To))
	}
	if err != nil {
		return err
	}
	return a.did(r, nothing)
}

// did tells the result of what has been done to files or a site. That it cannot be
// told does not make it undone.
func (a *app) did(v any, text func(io.Writer) error) error {
	a.settled = true
	if err := a.out.Result(v, text); err != nil && !readerLeft(err) && !a.json {
		a.out.Warn("done, and not told: %v", err)
	}
	return nil
}

// live ends a command that leaves release r live, which CI systems are told.
func (a *app) live(r *release.Release, format string, args ...any) {
	a.settled = true
	a.out.End(fmt.Sprintf(format, args...), "release", r.ID, "revision", r.To.ID, "short", r.To.Short)
}

// nothing is the text of a result that has been told already.
func nothing(io.Writer) error { return nil }

func newPlan(a *app) *cobra.Command {
	var out string
	var local localFlag
	var detailed bool
	cmd := &cobra.Command{
		Use:   "plan [REV]",
		Short: "Show what a release would do, and change nothing",
		Long: `Plan computes what "revstamp release" would do now: the commits and files that
come, the difference in every file that revstamp itself edits, and the jobs. A
plan written with --out is carried out by "revstamp release --plan FILE", and
refused there if anything has moved meanwhile.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.siteWith(local)
			if err != nil {
				return err
			}
			want := optional(args)
			p, err := s.Plan(cmd.Context(), want)
			if err != nil {
				return err
			}
			if err := s.Due(); err != nil {
				a.out.Warn("first %s: %v", hintOf(release.Interrupted), err)
			}
			if out != "" {
				if err := savePlan(p, want, out); err != nil {
					return err
				}
			}
			if err := a.showPlan(p); err != nil || !detailed || p.Empty() {
				return err
			}
			return errToDo
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "out", "o", "", "write the plan to `FILE`, for release --plan")
	local.add(cmd)
	f.BoolVar(&detailed, "detailed-exitcode", false, "exit with status 10 when there is something to do")
	return cmd
}

// errToDo is no failure: it is what plan --detailed-exitcode ends with.
var errToDo = errors.New("there is something to do")

func savePlan(p *release.Plan, want, file string) error {
	pin, err := p.Pin(want)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(pin, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

// readPlan takes up a plan that was saved.
func readPlan(file string, o *release.Options) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if o.Plan, err = release.ReadPinned(data); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
