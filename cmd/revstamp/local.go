package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/cmd/revstamp/internal/release"
)

// localFlag is --local: what becomes of local changes; empty is what the
// configuration says.
type localFlag config.Local

// localChoices are its values, and what shells that complete them tell.
var localChoices = []config.Local{config.RefuseLocal, config.KeepLocal, config.SaveLocal, config.OverwriteLocal}

func (l *localFlag) add(cmd *cobra.Command) {
	cmd.Flags().Var(l, "local", "what becomes of tracked files that somebody else changed: refuse, keep, save or overwrite (default source.local)")
	_ = cmd.RegisterFlagCompletionFunc("local", cobra.FixedCompletions([]cobra.Completion{
		"refuse\tbegin nothing", "keep\tleave them", "save\tback them up, then write over them", "overwrite\twrite over them",
	}, cobra.ShellCompDirectiveNoFileComp))
}

func (l *localFlag) String() string { return string(*l) }

// Type is how help calls the value.
func (l *localFlag) Type() string { return "choice" }

// Set implements pflag.Value.
func (l *localFlag) Set(s string) error {
	if !slices.Contains(localChoices, config.Local(s)) {
		return fmt.Errorf("it is one of refuse, keep, save and overwrite")
	}
	*l = localFlag(s)
	return nil
}

// siteWith is site with what the flag says of local changes.
func (a *app) siteWith(local localFlag) (*release.Site, error) {
	s, err := a.site()
	if err != nil || local == "" {
		return s, err
	}
	if s.Config.Layout == config.Releases {
		return nil, &usageError{
			msg:  "--local is for sites in place: the releases layout keeps its own working copy",
			hint: "leave it out",
		}
	}
	s.Config.Source.Local = config.Local(local)
	return s, nil
}

// localLines lists what becomes of files with local changes.
func localLines(files []release.LocalFile) string {
	var b strings.Builder
	for _, l := range files {
		fmt.Fprintf(&b, "  %-11s %s\n", l.Fate, l.Path)
	}
	return b.String()
}
