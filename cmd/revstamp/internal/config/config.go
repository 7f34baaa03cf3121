// Package config reads revstamp.yaml, strictly: what it does not understand
// is an error with a position, never passed over.
//
// Files are read as YAML nodes rather than decoded into structs, so that every
// problem of a file is reported at once, each at its line and column, with the
// nearest thing that would have been right.
package config

import (
	"path/filepath"
	"time"
)

// Config is a whole configuration file, checked, with every default filled
// in. Values that are templates are known to parse and to name existing fields.
// Paths are slash-separated and relative to Dir.
type Config struct {
	File    string // where it was read, absolute
	Overlay string // where its overlay was, absolute; "" without one
	Dir     string // the directory of File

	Site    string // names the site on job servers and in the journal
	Layout  Layout
	Source  Source
	State   string // state directory; may lie outside Dir, by ".."
	Stamp   []Stamp
	Assets  *Assets // nil: no asset URLs are versioned
	Hooks   []Hook  // in the order of the file
	Checks  []Check
	Jobs    Jobs
	Backups Backups
	Owner   Owner
	Umask   int // of a release and what it starts; that of the process when below zero

	// Of the releases layout alone.
	Shared    []Shared
	KeepFor   time.Duration // how long a release is kept after another has replaced it, whatever Keep says
	Keep      int           // complete releases that are kept, with the live one; 5 by default, 2 at least
	Unchanged Unchanged
}

// Source is the working copy that is released.
type Source struct {
	Pos    Pos
	Path   string // inside Dir; "." by default
	Update string // branch, tag or id; "" is the upstream of the current branch
	Number Number // which of Subversion's numbers {{.Revision}} and {{.Short}} are
	Local  Local

	// Of the releases layout alone: what is cloned.
	URL    string
	System System
}

// Local says what a release in place does with tracked files that somebody else
// changed.
type Local string

// The choices.
const (
	RefuseLocal    Local = "refuse"    // nothing: it does not begin; the default
	KeepLocal      Local = "keep"      // it leaves them; refused where the update changes them too
	SaveLocal      Local = "save"      // they become as the revision has them, and are kept among the backups
	OverwriteLocal Local = "overwrite" // they become as the revision has them
)

// Number is one of the numbers that a Subversion working copy has. It means
// nothing to other systems.
type Number string

// The numbers.
const (
	Highest     Number = "highest"      // the revision; the highest one when mixed; the default
	AsText      Number = "svnversion"   // what svnversion says of what is not one plain revision: 4123:4168S
	LastChanged Number = "last-changed" // the last revision that changed the site, and not something else
)

// Stamp is one value to stamp into a file.
type Stamp struct {
	Pos  Pos
	File string

	// At most one of these is not empty. Whether the one given suits the
	// format is for package stamp to judge.
	Key, Match, Placeholder string

	Value    string // template; "{{.Revision}}" by default
	Newlines bool   // the value may hold line feeds
	Format   string // "" is by file name
	Type     string // "" keeps the type that is there
	All      bool   // occurrence: all
}

// Assets says which files are assets and where their URLs are versioned.
type Assets struct {
	Pos     Pos
	Root    string
	URL     string   // prefix the root is served under; "/" by default
	Hosts   []string // hosts whose URLs are the site's own
	Version Version
	Param   string // query parameter; "v" by default

	Attributes []string // further attributes of HTML that hold URLs

	Rewrite []string // doublestar patterns of files to rewrite
	Strict  bool     // a reference to a missing file is an error

	Style    Style
	Modules  Modules
	Keep     int    // ByName: releases before the present one whose copies are kept; 5 by default
	Manifest string // file that lists the assets; "" for none

	Compress []Coding // precompressed variants of what is text; none by default
}

// Coding is how a variant of an asset is compressed.
type Coding string

// The codings.
const (
	Gzip   Coding = "gzip"
	Brotli Coding = "brotli"
	Zstd   Coding = "zstd"
)

// Codings are the names that HTTP has for what Compress says.
func (a *Assets) Codings() []string {
	var names []string
	for _, c := range a.Compress {
		if c == Brotli {
			c = "br"
		}
		names = append(names, string(c))
	}
	return names
}

// Style says where in a URL the version is.
type Style string

// The styles.
const (
	ByQuery Style = "query" // behind the file's name; the default
	ByName  Style = "name"  // in it; of digests alone
)

// Modules says whether the URLs of JavaScript modules have versions.
type Modules string

// The choices.
const (
	ModulesWhenKnown Modules = "auto" // all of them if all who import them are rewritten; the default
	AllModules       Modules = "all"
	NoModules        Modules = "none"
)

// Version says what follows ?v= in an asset's URL.
type Version string

// The kinds of versions.
const (
	ByRevision Version = "revision" // one for the site; the default
	ByFile     Version = "file"     // the revision that last changed each asset
	ByDigest   Version = "digest"   // of each asset's content
)

// Jobs are the post-deploy jobs and those who run them.
type Jobs struct {
	Servers []string // host:port; none: the embedded job server
	TLS     TLS      // for connections to them, with absolute paths
	Queue   []Job
	Workers map[string]Worker // by function
	Follow  time.Duration     // how long a release waits for outcomes; 15 minutes by default, 0 does not wait

	// OnFailure says what a job does that fails while the release waits for it:
	// Warn, the default, or Rollback.
	OnFailure OnFailure
}

// Job is one job to queue after a release.
type Job struct {
	Pos      Pos
	Function string
	Workload string // template; "" by default
	Priority Priority
	Wait     Wait
	Attempts int           // how often it is done at most, while it fails; 1 by default
	Backoff  time.Duration // before the second attempt, and doubled before each other one; 10 seconds by default
}

// Priority is a job's priority on its job server.
type Priority string

// The priorities of a job.
const (
	Low    Priority = "low"
	Normal Priority = "normal" // the default
	High   Priority = "high"
)

// Wait says how a job is submitted.
type Wait string

// The ways to submit a job.
const (
	Background Wait = "background" // and followed; the default
	Foreground Wait = "foreground" // the connection brings the result
)

// Worker is a command that runs the jobs of one function.
type Worker struct {
	Pos         Pos
	Command     []string      // program and arguments; never empty
	Timeout     time.Duration // 0 is none
	Concurrency int           // jobs at once; 1 by default
	Env         []string      // NAME=value, added to the environment
}

// Backups says how many copies of each configuration file are kept.
type Backups struct {
	Keep int // newest of each file; 10 by default, 0 keeps all
}

// Owner says what happens when a file's owner cannot be kept.
type Owner string

// The ways to treat an owner.
const (
	KeepOwner       Owner = "keep" // refuse; the default
	OwnerBestEffort Owner = "best-effort"
)

// Load reads the configuration file at path and lays the one at overlay over it:
// mappings are merged key by key, all else replaces what path says. Paths in either
// are relative to path's directory. An empty overlay is none. Problems of the files
// themselves are [Errors]; a file that cannot be read is a [*FileError].
func Load(path, overlay string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var over []byte
	if overlay != "" {
		if over, err = readFile(overlay); err != nil {
			return nil, err
		}
	}
	return ParseEnv(path, data, overlay, over)
}

// Parse is Load without an overlay, for a file at path whose content is data, be
// there what may.
func Parse(path string, data []byte) (*Config, error) {
	return ParseEnv(path, data, "", nil)
}

// ParseEnv is Load for files whose contents are data and over.
func ParseEnv(path string, data []byte, overlay string, over []byte) (*Config, error) {
	cfg, err := read(path, data, overlay, over)
	if err != nil {
		return nil, err
	}
	if cfg.File, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if overlay != "" {
		if cfg.Overlay, err = filepath.Abs(overlay); err != nil {
			return nil, err
		}
	}
	cfg.Dir = filepath.Dir(cfg.File)
	for _, file := range []*string{&cfg.Jobs.TLS.CA, &cfg.Jobs.TLS.Cert, &cfg.Jobs.TLS.Key} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(cfg.Dir, *file)
		}
	}
	return cfg, nil
}

// Overlay is where the overlay of environment env of the configuration file
// at path is looked for: revstamp.production.yaml beside revstamp.yaml.
func Overlay(path, env string) string {
	ext := filepath.Ext(path)
	return path[:len(path)-len(ext)] + "." + env + ext
}
