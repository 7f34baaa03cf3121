package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"revstamp/templates"
)

func newHelper(a *app) *cobra.Command {
	manifest := "manifest.json"
	cmd := &cobra.Command{
		Use:   "helper LANGUAGE",
		Short: "Write a file that gives templates the versioned URLs",
		Long: `Helper writes a source file with the functions asset, integrity and revision,
which ask the manifest that "revstamp assets manifest" writes. It goes to
standard output; save it as

  php    revstamp.php
  twig   revstamp-twig.php
  jinja  revstamp_assets.py
  erb    revstamp.rb
  js     revstamp.js

How it is used stands at its top. For Go there is revstamp/templates.`,
		Example:   `  revstamp helper php --manifest ../public/manifest.json > lib/revstamp.php`,
		ValidArgs: templates.Languages(),
		Args:      cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name, source, err := templates.Helper(args[0], manifest)
			if err != nil {
				hint := "it is one of " + strings.Join(templates.Languages(), ", ")
				if slices.Contains(templates.Languages(), args[0]) {
					hint = "name the manifest with --manifest, from where the helper will lie"
				}
				return &usageError{msg: err.Error(), hint: hint}
			}
			result := map[string]string{"language": args[0], "file": name, "source": string(source)}
			return a.out.Result(result, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s", source)
				return err
			})
		},
	}
	cmd.Flags().StringVarP(&manifest, "manifest", "m", manifest, "`path` of the manifest; a relative one is looked for from where the helper lies")
	return cmd
}
