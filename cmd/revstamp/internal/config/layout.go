package config

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Layout is how a site lies on its machine.
type Layout string

// The layouts.
const (
	InPlace  Layout = "in-place" // the working copy is what visitors see; the default
	Releases Layout = "releases" // each release is a directory, and the link current leads to one
)

// What there is beside revstamp.yaml in the releases layout.
const (
	currentLink = "current"
	releasesDir = "releases"
	sharedDir   = "shared"
)

// System is a version control system.
type System string

// The systems.
const (
	Git System = "git" // the default
	Svn System = "svn"
	Hg  System = "hg"
)

// Unchanged says how a release gets the files that its predecessor has too.
type Unchanged string

// The ways to get them.
const (
	Copy Unchanged = "copy" // sharing blocks where the file system can; the default
	Link Unchanged = "link" // hard links: for sites where nothing writes into a release
)

// Shared is a file or directory that all releases have in common. A release has
// a link in its place.
type Shared struct {
	Pos  Pos
	Path string // in a release, and below SharedDir
	Dir  bool   // written with a slash behind: made when it is not there
}

// Abs is the file that a path of the configuration names: the one that visitors
// see.
func (c *Config) Abs(name string) string {
	if c.Layout == Releases {
		return filepath.Join(c.Current(), filepath.FromSlash(name))
	}
	return filepath.Join(c.Dir, filepath.FromSlash(name))
}

// StateDir is the state directory, as a path of its own.
func (c *Config) StateDir() string { return filepath.Join(c.Dir, filepath.FromSlash(c.State)) }

// Current is the link to the live release.
func (c *Config) Current() string { return filepath.Join(c.Dir, currentLink) }

// ReleasesDir is where the releases are.
func (c *Config) ReleasesDir() string { return filepath.Join(c.Dir, releasesDir) }

// SharedDir is where the shared files and directories are.
func (c *Config) SharedDir() string { return filepath.Join(c.Dir, sharedDir) }

// layout reads the keys that only the releases layout has.
func (r *reader) layout(c *Config) keys {
	return keys{
		"layout":    oneOf(r, &c.Layout, InPlace, Releases),
		"keep":      r.number(&c.Keep, 2, 100_000),
		"keep_for":  r.duration(&c.KeepFor),
		"unchanged": oneOf(r, &c.Unchanged, Copy, Link),
		"shared": r.list(func(v value) {
			s := Shared{Pos: r.pos(v.node)}
			r.checked(&s.Path, checkShared)(v)
			s.Dir = strings.HasSuffix(s.Path, "/")
			if s.Path = path.Clean(s.Path); s.Path != "." {
				c.Shared = append(c.Shared, s)
			}
		}),
	}
}

func checkShared(s string) (problem, hint string) {
	if path.Clean(s) == "." {
		return "a whole release cannot be shared", "name a file or a directory in it, as in storage/"
	}
	return checkPath(s)
}

// checkLayout sees that the keys fit the layout and each other.
func (r *reader) checkLayout(v value, c *Config) {
	if given := child(v, "layout"); given.node != nil && given.node.Value != string(c.Layout) {
		return // refused already
	}
	if c.Layout != Releases {
		for _, key := range []string{"keep", "keep_for", "shared", "unchanged"} {
			if given := child(v, key); given.node != nil {
				r.fail(given, "remove it, or choose layout: releases", "only the releases layout has it")
			}
		}
		for _, key := range []string{"url", "system"} {
			if given := child(child(v, "source"), key); given.node != nil {
				r.fail(given, "remove it, or choose layout: releases", "only the releases layout has it: in place, the working copy knows where it is from")
			}
		}
		return
	}
	if c.Umask < 0 { // what visitors' servers read must not hang on who releases
		c.Umask = 0o022
	}
	if child(child(v, "source"), "url").node == nil {
		r.fail(v, "name the repository, as in source: { url: https://git.example.org/shop.git }", "the releases layout needs source.url")
	}
	if given := child(child(v, "source"), "path"); given.node != nil {
		r.fail(given, "remove it", "the releases layout keeps its own working copy, and has no source.path")
	}
	if given := child(child(v, "source"), "local"); given.node != nil {
		r.fail(given, "remove it", "the releases layout keeps its own working copy, in which there are no local changes to decide about")
	}
	for i, s := range c.Shared {
		if j := slices.IndexFunc(c.Shared[:i], func(o Shared) bool { return within(o.Path, s.Path) || within(s.Path, o.Path) }); j >= 0 {
			r.failAt(s.Pos, "shared", "keep the outer one", "%q and %q overlap", c.Shared[j].Path, s.Path)
		}
	}
	for _, st := range c.Stamp {
		for _, s := range c.Shared {
			if within(s.Path, st.File) {
				r.failAt(st.Pos, "stamp.file", "stamp a file that each release has for itself",
					"%q is shared: the release that is live now would read the new value before it is replaced", st.File)
			}
		}
	}
}

// child is the value of a key of the mapping v; without a node when it is not
// given.
func child(v value, key string) value {
	if v.node == nil || v.node.Kind != yaml.MappingNode {
		return value{}
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		if v.node.Content[i].Value == key {
			return value{v.node.Content[i+1], join(v.key, key)}
		}
	}
	return value{}
}

// within reports whether name is dir or lies below it; both are slash paths.
func within(dir, name string) bool {
	name = path.Clean(name)
	return name == dir || strings.HasPrefix(name, dir+"/")
}

func checkSource(s string) (problem, hint string) {
	switch {
	case strings.HasPrefix(s, "-"):
		return fmt.Sprintf("%q begins with a dash", s), "write the URL or the absolute path of a repository"
	case !strings.Contains(s, ":") && !path.IsAbs(s):
		return fmt.Sprintf("%q is neither a URL nor an absolute path", s), "write it as https://git.example.org/shop.git or /srv/git/shop.git"
	}
	return checkText(s)
}
