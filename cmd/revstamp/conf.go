package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"revstamp/templates"
)

func newConf(a *app) *cobra.Command {
	s := &assetSite{app: a}
	cmd := &cobra.Command{
		Use:   "conf SERVER",
		Short: "Write the configuration of a web server",
		Long: `Conf writes configuration for nginx, apache or caddy, to include in that of the
site: versioned assets are kept for a year by browsers and asked for again
without a version, and what is for no visitor is not found: .git, .svn, .hg,
.env, backups, temporary files, revstamp.yaml. How it is included stands at its
top. Names that an application may answer as well, as .json and .xml, it leaves
alone.`,
		Example:   `  revstamp conf nginx --url /static > /etc/nginx/snippets/revstamp.conf`,
		ValidArgs: templates.Servers(),
		Args:      cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains(templates.Servers(), args[0]) {
				return &usageError{msg: fmt.Sprintf("no configuration is known for %q", args[0]), hint: "servers are " + strings.Join(templates.Servers(), ", ")}
			}
			if err := s.address(); err != nil {
				return err
			}
			name, text, err := templates.Conf(args[0], templates.ConfOptions{URL: s.url, Param: s.param})
			if err != nil {
				return &usageError{msg: err.Error()}
			}
			result := map[string]string{"server": args[0], "file": name, "text": string(text)}
			return a.out.Result(result, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s", text)
				return err
			})
		},
	}
	s.addressFlags(cmd)
	return cmd
}
