package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"revstamp/vcs"
)

//go:embed all:demosite
var demoFiles embed.FS

func newDemo(a *app) *cobra.Command {
	var system string
	cmd := &cobra.Command{
		Use:   "demo [DIR]",
		Short: "Make a small site and release it for real",
		Long: `Demo makes a small PHP site in a new repository in DIR, by default a new
temporary directory, and releases it twice, showing each command as you would
type it. It needs no git; for --vcs=svn it needs Subversion, for --vcs=hg
Mercurial. The directory is left for playing on.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := newDemonstration(optional(args), system)
			if err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&system, "vcs", "git", "version control `system`: git, svn or hg")
	return cmd
}

// demonstration is the site that demo makes: in dir, a repository, a
// developer's working copy, and the live site.
type demonstration struct {
	dir  string
	self string // this program
	vcs  demoVCS
}

// demoVCS is what a demonstration needs of a version control system.
type demoVCS interface {
	// create makes the repository from the files in work, and the site.
	create(ctx context.Context) error
	// commit commits all of work and makes it known to the site's upstream.
	commit(ctx context.Context, message string) error
}

func newDemonstration(dir, system string) (*demonstration, error) {
	systems := map[string]func(*demonstration) demoVCS{
		"git": func(d *demonstration) demoVCS { return demoGit{d} },
		"svn": func(d *demonstration) demoVCS { return demoSVN{d} },
		"hg":  func(d *demonstration) demoVCS { return demoHg{d} },
	}
	if systems[system] == nil {
		return nil, &usageError{msg: fmt.Sprintf("no demo for %q", system), hint: "it is git, svn or hg"}
	}
	var err error
	if dir == "" {
		dir, err = os.MkdirTemp("", "revstamp-demo-")
	} else if dir, err = filepath.Abs(dir); err == nil {
		err = makeEmpty(dir)
	}
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	d := &demonstration{dir: dir, self: self}
	d.vcs = systems[system](d)
	return d, nil
}

// makeEmpty makes dir, and refuses one that holds anything.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = &usageError{msg: fmt.Sprintf("%q is not empty", dir), hint: "name a directory that is not there yet"}
	}
	return err
}

func (d *demonstration) site() string { return filepath.Join(d.dir, "site") }
func (d *demonstration) work() string { return filepath.Join(d.dir, "work") }

func (d *demonstration) run(ctx context.Context) error {
	if err := d.unpack(); err != nil {
		return err
	}
	if err := d.vcs.create(ctx); err != nil {
		return err
	}
	d.say("A small PHP site, its repository and a developer's working copy are in %s.", d.dir)
	fmt.Printf("\n$ cd %s\n", d.site())
	if err := d.show("config/config.php", "public/index.php"); err != nil {
		return err
	}
	d.say("What would a release do? A plan changes nothing.")
	if err := d.revstamp(ctx, "plan"); err != nil {
		return err
	}
	if err := d.revstamp(ctx, "release"); err != nil {
		return err
	}
	if err := d.show("config/config.php", "public/index.php"); err != nil {
		return err
	}
	if err := d.develop(ctx); err != nil {
		return err
	}
	if err := d.revstamp(ctx, "release"); err != nil {
		return err
	}
	if err := d.show("config/config.php", "public/index.php"); err != nil {
		return err
	}
	d.say("Nothing new: nothing is touched.")
	for _, command := range []string{"release", "history", "show"} {
		if err := d.revstamp(ctx, command); err != nil {
			return err
		}
	}
	d.say("The site is yours to play with: change something in %s, commit, release;\nor try revstamp rollback. Remove %s when you are done.", d.work(), d.dir)
	return nil
}

// unpack writes the site's files into the developer's working copy.
func (d *demonstration) unpack() error {
	files, err := fs.Sub(demoFiles, "demosite")
	if err != nil {
		return err
	}
	if err := os.CopyFS(d.work(), files); err != nil {
		return err
	}
	for _, command := range []string{"warm", "announce"} {
		if err := os.Chmod(filepath.Join(d.work(), "bin", command), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// develop changes the style sheet and the page, and commits.
func (d *demonstration) develop(ctx context.Context) error {
	d.say("The developer changes the style sheet and the page, and commits.")
	if err := d.edit("public/css/site.css", "1rem/1.5 serif", "1.25rem/1.4 sans-serif"); err != nil {
		return err
	}
	if err := d.edit("public/index.php", "from nine to five", "day and night"); err != nil {
		return err
	}
	return d.vcs.commit(ctx, "Open day and night, in larger type")
}

func (d *demonstration) edit(name, old, new string) error {
	path := filepath.Join(d.work(), name)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(new), 1), 0o644)
}

func (d *demonstration) say(format string, args ...any) {
	fmt.Printf("\n# %s\n", strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n# "))
}

// show prints the lines of the site's files that releases write to.
func (d *demonstration) show(names ...string) error {
	fmt.Printf("\n$ grep -E 'svn.. =|href|src' %s\n", strings.Join(names, " "))
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(d.site(), name))
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, "svn'] =") || strings.Contains(line, "href") || strings.Contains(line, "src") {
				fmt.Printf("%s:%s", name, line)
			}
		}
	}
	return nil
}

// revstamp runs this program in the site, as typed there.
func (d *demonstration) revstamp(ctx context.Context, args ...string) error {
	fmt.Printf("\n$ revstamp %s\n", strings.Join(args, " "))
	if err := ctx.Err(); err != nil {
		return err
	}
	// A terminal interrupts the child too; a second signal would kill it.
	cmd := exec.Command(d.self, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = d.site(), os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("revstamp %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// demoGit is a git repository, which is the developer's working copy too.
type demoGit struct{ *demonstration }

func (d demoGit) create(ctx context.Context) error {
	if err := vcs.Create(ctx, d.work()); err != nil {
		return err
	}
	if err := d.commit(ctx, "A corner shop"); err != nil {
		return err
	}
	return vcs.Clone(ctx, d.work(), d.site(), vcs.CloneOptions{})
}

func (d demoGit) commit(ctx context.Context, message string) error {
	_, err := vcs.CommitAll(ctx, d.work(), message, "Ada <ada@example.org>", time.Now())
	return err
}

// demoSVN is a Subversion repository with two working copies.
type demoSVN struct{ *demonstration }

func (d demoSVN) create(ctx context.Context) error {
	repo := filepath.Join(d.dir, "repo")
	trunk := "file://" + repo + "/trunk"
	for _, args := range [][]string{
		{"svnadmin", "create", repo},
		{"svn", "import", "--quiet", "--non-interactive", "-m", "A corner shop", d.work(), trunk},
		{"svn", "checkout", "--quiet", "--non-interactive", "--force", trunk, d.work()},
		{"svn", "checkout", "--quiet", "--non-interactive", trunk, d.site()},
	} {
		if err := command(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func (d demoSVN) commit(ctx context.Context, message string) error {
	return command(ctx, "svn", "commit", "--quiet", "--non-interactive", "-m", message, d.work())
}

// demoHg is a Mercurial repository, which is the developer's working copy too.
type demoHg struct{ *demonstration }

func (d demoHg) create(ctx context.Context) error {
	if err := command(ctx, "hg", "init", d.work()); err != nil {
		return err
	}
	if err := d.commit(ctx, "A corner shop"); err != nil {
		return err
	}
	return command(ctx, "hg", "clone", "--quiet", d.work(), d.site())
}

func (d demoHg) commit(ctx context.Context, message string) error {
	return command(ctx, "hg", "commit", "--cwd", d.work(), "--quiet", "--addremove", "--user", "Ada <ada@example.org>", "-m", message)
}

func command(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args[:2], " "), err, bytes.TrimSpace(out))
	}
	return nil
}
