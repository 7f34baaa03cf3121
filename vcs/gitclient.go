package vcs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"revstamp/vcs/internal/gitdir"
)

// gitClient is the git program.
type gitClient struct {
	client
}

// gitEnv is the environment of every git: without prompts, without the locks
// that a query need not take, and without the variables by which a git hook
// makes every git below it work on its own repository.
func gitEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX",
			"GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
			"GIT_QUARANTINE_PATH", "GIT_SHALLOW_FILE", "GIT_LITERAL_PATHSPECS":
			continue
		}
		env = append(env, e)
	}
	env = append(env, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0",
		"SSH_ASKPASS_REQUIRE=never")
	// A program that CI offers for passwords is no prompt; git's own look for
	// one (core.askPass, SSH_ASKPASS, a desktop's window) is.
	if os.Getenv("GIT_ASKPASS") == "" {
		env = append(env, "GIT_ASKPASS=")
	}
	return env
}

// quiet are the options of every git: of the programs that the repository names
// only those run by which its content is converted (filters) and its remote is
// reached (core.sshCommand, core.gitProxy, credential.helper). That is its
// owner's to name, see OwnerError; git does the same. A URL may neither be a
// command (ext::) nor a descriptor to wait for (fd::).
var quiet = []string{"-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
	"-c", "protocol.ext.allow=never", "-c", "protocol.fd.allow=never"}

func (g *gitClient) git(ctx context.Context, args ...string) ([]byte, error) {
	return g.run(ctx, append(quiet[:len(quiet):len(quiet)], args...)...)
}

// config reads the files itself, which costs no process, and asks git where
// they include others or the environment adds to them.
func (g *gitClient) config(ctx context.Context, repo *gitdir.Repo) (*gitdir.Config, error) {
	c, whole, err := userConfig(repo, g.systemConfig())
	if err != nil || whole {
		return c, err
	}
	out, err := g.git(ctx, "config", "-z", "--list")
	if err != nil {
		return nil, err
	}
	c = new(gitdir.Config)
	for item := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		key, value, ok := strings.Cut(item, "\n")
		if !ok {
			value = "true"
		}
		c.Add(key, value)
	}
	return c, nil
}

// systemConfig is where a git that is not the system's has its configuration.
func (g *gitClient) systemConfig() string {
	return filepath.Join(filepath.Dir(filepath.Dir(g.path)), "etc", "gitconfig")
}

// safeDirectories asks git where files include others, but not in the
// repository, which must not vouch for itself.
func (g *gitClient) safeDirectories(ctx context.Context) ([]string, error) {
	values, whole, err := safeDirectories(g.systemConfig())
	if err != nil || whole {
		return values, err
	}
	out, err := g.call(ctx, nil, []string{"GIT_DIR=/dev/null"}, "config", "-z", "--get-all", "safe.directory")
	var failed *ClientError
	if errors.As(err, &failed) && failed.Status == 1 {
		return nil, nil // there is none
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"), err
}

// ssh makes git's ssh fail instead of asking, whatever command it is.
func (g *gitClient) ssh(s *gitState) []string {
	command := os.Getenv("GIT_SSH_COMMAND")
	if command == "" {
		command = s.config.String("core.sshcommand")
	}
	if command == "" && os.Getenv("GIT_SSH") != "" {
		return nil // a program that takes no options: its owner's to keep quiet
	}
	if command == "" {
		command = "ssh"
	}
	return []string{"GIT_SSH_COMMAND=" + command + " -oBatchMode=yes"}
}

func (g *gitClient) list(ctx context.Context, s *gitState, remote string, names []string) (map[string]gitdir.ID, error) {
	if dir := s.directory(insteadOf(s.config, s.url(remote))); dir != "" {
		if all, ok := listPlain(dir); ok {
			return among(all, names), nil
		}
	}
	args := append(quiet[:len(quiet):len(quiet)], "ls-remote", "--quiet")
	args = append(append(args, s.uploadPack(remote)...), "--", remote)
	out, err := g.call(ctx, nil, g.ssh(s), append(args, names...)...)
	if err != nil {
		return nil, err
	}
	refs := make(map[string]gitdir.ID)
	for line := range bytes.Lines(out) {
		hex, name, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), "\t")
		id, err := gitdir.ParseID(hex)
		if !ok || err != nil {
			return nil, fmt.Errorf("git ls-remote: unexpected line %q", line)
		}
		refs[name] = id
	}
	return among(refs, names), nil
}

// fetch writes objects only: an empty refmap keeps the remote-tracking
// branches, which Update moves together with the branch.
func (g *gitClient) fetch(ctx context.Context, s *gitState, remote string, refs []string) error {
	args := append(quiet[:len(quiet):len(quiet)], "-c", "gc.auto=0", "-c", "maintenance.auto=false")
	if slices.Contains(s.remotes(), remote) {
		args = append(args, "-c", "remote."+remote+".followRemoteHEAD=never")
	}
	if s.config.String("core.alternaterefscommand") != "" {
		args = append(args, "-c", "core.alternateRefsCommand=:") // a shell would run it
	}
	args = append(args, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=", "--no-prune",
		"--no-recurse-submodules", "--no-show-forced-updates")
	args = append(append(args, s.uploadPack(remote)...), "--", remote)
	_, err := g.call(ctx, nil, g.ssh(s), append(args, refs...)...)
	return err
}

// uploadPack keeps remote.<name>.uploadpack from naming a program of this
// machine. That of another one is not ours to choose.
func (s *gitState) uploadPack(remote string) []string {
	if url := insteadOf(s.config, s.url(remote)); url == "" || s.directory(url) != "" {
		return []string{"--upload-pack=git-upload-pack"}
	}
	return nil
}

func (g *gitClient) moveRefs(ctx context.Context, s *gitState, moves []refMove, message string) error {
	var in bytes.Buffer
	for _, m := range moves {
		fmt.Fprintf(&in, "update %s\x00%s\x00%s\x00", m.name, m.to, m.from)
	}
	args := append(quiet[:len(quiet):len(quiet)], "update-ref", "-m", message, "--stdin", "-z")
	_, err := g.call(ctx, &in, nil, args...)
	return err
}

func (g *gitClient) describe(ctx context.Context, id gitdir.ID) (string, error) {
	out, err := g.git(ctx, "describe", "--tags", "--always", "--abbrev=12", id.String())
	return strings.TrimSpace(string(out)), err
}

func (g *gitClient) count(ctx context.Context, id gitdir.ID) (int64, error) {
	out, err := g.git(ctx, "rev-list", "--count", id.String())
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
}

func (g *gitClient) modified(ctx context.Context, _ string) ([]string, error) {
	out, err := g.git(ctx, "status", "--porcelain=v2", "-z", "--untracked-files=no", "--no-renames",
		"--ignore-submodules=none")
	if err != nil {
		return nil, err
	}
	return parseStatus(string(out))
}

// parseStatus reads the paths of `git status --porcelain=v2 -z --no-renames`.
func parseStatus(out string) ([]string, error) {
	fields := map[byte]int{'1': 9, 'u': 11} // the path is the last one, and may hold spaces
	var paths []string
	for item := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if item == "" {
			continue
		}
		want := fields[item[0]]
		f := strings.SplitN(item, " ", want)
		if want == 0 || len(f) < want {
			return nil, fmt.Errorf("git status: unexpected line %q", item)
		}
		paths = append(paths, f[want-1])
	}
	return paths, nil
}

// checkout has git convert files by the attributes of the tree they are in: its
// index is one made for this, and its working tree an empty directory, so that
// neither the attributes nor the files of the present are seen.
func (g *gitClient) checkout(ctx context.Context, s *gitState, tree gitdir.ID, paths []string, _ string) (string, error) {
	dir, err := os.MkdirTemp("", "revstamp-")
	if err != nil {
		return "", err
	}
	if err := g.checkoutTo(ctx, s, tree, paths, dir); err != nil {
		os.RemoveAll(dir)
		return "", err
	}
	return dir, nil
}

func (g *gitClient) checkoutTo(ctx context.Context, s *gitState, tree gitdir.ID, paths []string, dir string) error {
	var entries []gitdir.IndexEntry
	err := s.objects.Files(tree, func(path string, e gitdir.Entry) {
		entries = append(entries, gitdir.IndexEntry{Path: path, Tracked: gitdir.Tracked{Entry: e}})
	})
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "index")
	if err := os.WriteFile(file, gitdir.EncodeIndex(slices.Values(entries), len(entries), nil), 0o600); err != nil {
		return err
	}
	out := filepath.Join(dir, "files")
	if err := os.Mkdir(out, 0o700); err != nil {
		return err
	}
	var in bytes.Buffer
	for _, p := range paths {
		in.WriteString(p)
		in.WriteByte(0)
	}
	args := append(quiet[:len(quiet):len(quiet)], "--work-tree="+out, "checkout-index", "--quiet", "-z", "--stdin")
	_, err = g.call(ctx, &in, []string{"GIT_INDEX_FILE=" + file}, args...)
	return err
}

func (g *gitClient) archive(ctx context.Context, _ *gitState, commit gitdir.ID, _ string, unpack func(io.Reader) error) error {
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := unpack(r)
		if err == nil {
			_, err = io.Copy(io.Discard, r) // blocks are filled up
		}
		r.CloseWithError(cmp.Or(err, io.ErrClosedPipe)) // ends git, too
		ended <- err
	}()
	args := append(quiet[:len(quiet):len(quiet)], "archive", "--format=tar", commit.String())
	err := g.stream(ctx, nil, w, nil, args...)
	w.CloseWithError(cmp.Or(err, io.EOF))
	return cmp.Or(<-ended, err)
}
