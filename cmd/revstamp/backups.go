package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/release"
	"revstamp/stamp/atomicfile"
)

// backupStore is where the commands below look.
type backupStore struct {
	*app
	dir string
}

func newBackups(a *app) *cobra.Command {
	b := &backupStore{app: a}
	cmd := &cobra.Command{
		Use:   "backups [FILE]",
		Short: "List what files held before, compare it, and put it back",
		Long: `Backups lists the files of which earlier contents are kept, or those contents of
FILE, the newest first. Each is named by its number, or by the beginning of its
id. They are kept in the state directory of the site, or where stamp --backups
put them.`,
		Example: `  revstamp backups
  revstamp backups diff config/config.php
  revstamp backups restore config/config.php 20261124T0208`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			store, err := b.open()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return b.files(store)
			}
			return b.list(store, args[0])
		},
	}
	cmd.PersistentFlags().StringVar(&b.dir, "backups", "", "the `directory` of stamp --backups; by default the site's own")
	cmd.AddCommand(b.newDiff(), b.newRestore())
	return cmd
}

func (b *backupStore) newDiff() *cobra.Command {
	lines := 0
	cmd := &cobra.Command{
		Use:   "diff FILE [WHICH]",
		Short: "Show what has changed since a backup, by default the newest",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			_, from, err := b.find(args)
			if err != nil {
				return err
			}
			was, now, err := wasAndIs(from)
			if err != nil {
				return err
			}
			return b.difference(from.Original, was, now, lines)
		},
	}
	contextFlag(cmd, &lines)
	return cmd
}

func (b *backupStore) newRestore() *cobra.Command {
	var dry, lax bool
	lines := 0
	cmd := &cobra.Command{
		Use:   "restore FILE [WHICH]",
		Short: "Put back what a file held, by default what it held last",
		Long: `Restore puts the content of a backup in the place of FILE, as a stamp is: through
a temporary file and a rename. What FILE holds now is kept as a backup too, so
that a restoration can be undone by another.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, from, err := b.find(args)
			if err != nil {
				return err
			}
			if dry {
				was, now, err := wasAndIs(from)
				if err != nil {
					return err
				}
				return b.difference(from.Original, now, was, lines)
			}
			var o atomicfile.Options
			if lax {
				o.Owner = atomicfile.OwnerBestEffort
			}
			return b.restore(cmd.Context(), store, from, o)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&dry, "dry-run", "n", false, "show the difference and write nothing")
	f.BoolVar(&lax, "owner-best-effort", false, "go on when the file's owner cannot be kept")
	contextFlag(cmd, &lines)
	return cmd
}

// contextFlag is the flag for unchanged lines in a difference.
func contextFlag(cmd *cobra.Command, lines *int) {
	naturalVar(cmd, lines, "context", "U", "up to 3 unchanged `lines` around a difference; they may hold secrets")
}

// open returns the store that the flags mean.
func (b *backupStore) open() (*atomicfile.Backups, error) {
	if b.dir != "" {
		if _, err := os.Stat(b.dir); err != nil {
			return nil, fmt.Errorf("backups: %w", err)
		}
		return &atomicfile.Backups{Dir: b.dir}, nil
	}
	if _, err := os.Stat(b.config); errors.Is(err, fs.ErrNotExist) {
		return nil, &usageError{
			msg:  fmt.Sprintf("where the backups are is not said, and there is no %s that says it", b.config),
			hint: "name the directory with --backups",
		}
	}
	site, err := b.site()
	if err != nil {
		return nil, err
	}
	return site.Backups(), nil
}

// backedUp is a file with backups, as it is listed.
type backedUp struct {
	File   string    `json:"file"`
	Count  int       `json:"count"`
	Newest time.Time `json:"newest"`
}

func (b *backupStore) files(store *atomicfile.Backups) error {
	originals, err := store.Originals()
	if err != nil {
		return err
	}
	all := []backedUp{}
	for _, original := range originals {
		kept, err := store.List(original)
		if err != nil {
			return err
		}
		if n := len(kept); n > 0 {
			all = append(all, backedUp{shown(original), n, kept[n-1].Time})
		}
	}
	return b.out.Result(all, func(w io.Writer) error {
		if len(all) == 0 {
			_, err := fmt.Fprintln(w, "no backups are kept yet")
			return err
		}
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "FILE\tBACKUPS\tNEWEST")
		for _, f := range all {
			fmt.Fprintf(table, "%s\t%d\t%s\n", f.File, f.Count, when(f.Newest))
		}
		return table.Flush()
	})
}

// kept is a backup as it is listed.
type kept struct {
	Number int       `json:"number"` // from the newest, which is 1
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Mode   string    `json:"mode"`
	Size   int64     `json:"size"`
	Path   string    `json:"path"`
}

func (b *backupStore) list(store *atomicfile.Backups, name string) error {
	backups, err := b.newestFirst(store, name)
	if err != nil {
		return err
	}
	all := []kept{}
	for i, from := range backups {
		info, err := os.Stat(from.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process has just pruned it
		}
		if err != nil {
			return err
		}
		all = append(all, kept{i + 1, from.ID(), from.Time, fmt.Sprintf("%04o", from.Mode), info.Size(), from.Path})
	}
	return b.out.Result(all, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "#\tID\tKEPT\tMODE\tBYTES")
		for _, k := range all {
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\n", k.Number, k.ID, when(k.Time), k.Mode, k.Size)
		}
		return table.Flush()
	})
}

func (b *backupStore) newestFirst(store *atomicfile.Backups, name string) ([]atomicfile.Backup, error) {
	all, err := store.List(name)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &backupError{fmt.Sprintf("of %q no backup is kept", name), "see the files of which some are with: " + b.command()}
	}
	slices.Reverse(all)
	return all, nil
}

// find opens the store and returns the backup that FILE and WHICH mean.
func (b *backupStore) find(args []string) (*atomicfile.Backups, atomicfile.Backup, error) {
	store, err := b.open()
	if err != nil {
		return nil, atomicfile.Backup{}, err
	}
	from, err := b.which(store, args)
	return store, from, err
}

// which is the backup that FILE and WHICH mean.
func (b *backupStore) which(store *atomicfile.Backups, args []string) (atomicfile.Backup, error) {
	all, err := b.newestFirst(store, args[0])
	if err != nil || len(args) == 1 {
		return append(all, atomicfile.Backup{})[0], err
	}
	want := args[1]
	if n, err := strconv.Atoi(want); err == nil && n >= 1 && n <= len(all) {
		return all[n-1], nil
	}
	from, err := store.Find(args[0], want)
	if err != nil {
		err = &backupError{err.Error(), "see those that are kept with: " + b.command(args[0])}
	}
	return from, err
}

// command is what to type to see backups in the same place.
func (b *backupStore) command(args ...string) string {
	words := []string{"revstamp", "backups"}
	switch {
	case b.dir != "":
		words = append(words, "--backups", b.dir)
	case b.config != defaultConfig:
		words = append(words, "--config", b.config)
	}
	if b.dir == "" && b.env != "" {
		words = append(words, "--env", b.env)
	}
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		words = append(words, "--")
	}
	return shellWords(append(words, args...))
}

// backupError says that a backup is not there.
type backupError struct{ msg, hint string }

func (e *backupError) Error() string { return e.msg }

// Hint is what to type to see those that are.
func (e *backupError) Hint() string { return e.hint }

// wasAndIs returns what the backup holds and what its file holds now.
func wasAndIs(from atomicfile.Backup) (was, now []byte, err error) {
	if was, err = from.Read(); err != nil {
		return nil, nil, err
	}
	f, err := atomicfile.Open(from.Original, atomicfile.Options{Create: true, MkdirAll: true})
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return was, f.Data(), nil
}

func (b *backupStore) difference(name string, before, after []byte, lines int) error {
	text := release.Diff(strings.TrimPrefix(shown(name), "/"), before, after, lines)
	if b.json {
		return b.out.Result(map[string]any{"file": shown(name), "diff": string(text)}, nil)
	}
	return b.out.Diff(text)
}

func (b *backupStore) restore(ctx context.Context, store *atomicfile.Backups, from atomicfile.Backup, o atomicfile.Options) error {
	o.Warn = func(msg string) { b.out.Warn("%s", msg) }
	changed := false
	restore := func() (err error) {
		list, closeList := b.temps(ctx)
		defer closeList()
		list.follow(&o)
		changed, err = store.Restore(ctx, from, o)
		return err
	}
	err := error(nil)
	if b.dir != "" {
		err = restore()
	} else {
		var site *release.Site
		if site, err = b.site(); err == nil {
			err = site.Alone(ctx, restore)
		}
	}
	if err != nil {
		return err
	}
	r := map[string]any{"file": shown(from.Original), "id": from.ID(), "restored": changed}
	return b.did(r, func(w io.Writer) error {
		if !changed {
			_, err := fmt.Fprintf(w, "nothing to do: %s is as it was at %s\n", shown(from.Original), when(from.Time))
			return err
		}
		_, err := fmt.Fprintf(w, "restored %s as it was at %s\n", shown(from.Original), when(from.Time))
		return err
	})
}
