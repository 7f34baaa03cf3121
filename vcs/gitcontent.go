package vcs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"revstamp/vcs/internal/gitdir"
)

// gitContents reads files of one tree as a checkout would write them: the
// blobs, or what attributes and configuration make of them. It may be used by
// several goroutines. close it.
type gitContents struct {
	mu      sync.Mutex
	objects *gitdir.Objects
	dir     string // holds the converted files; "" when nothing is converted
}

// contents prepares to read the named files of a tree.
func (g *gitCopy) contents(ctx context.Context, s *gitState, tree gitdir.ID, paths []string) (*gitContents, error) {
	c := &gitContents{objects: s.objects}
	if len(paths) == 0 || tree.IsZero() {
		return c, nil
	}
	attributes, err := s.treeAttributes(tree, paths)
	if err != nil {
		return nil, err
	}
	conv, err := g.conversion(s, attributes)
	if err != nil || conv.smudge == "" {
		return c, err
	}
	c.dir, err = g.host.checkout(ctx, s, tree, paths, conv.smudge)
	return c, err
}

func (c *gitContents) read(path string, e gitdir.Entry) ([]byte, error) {
	if c.dir != "" && e.Mode != gitdir.ModeSymlink {
		return os.ReadFile(filepath.Join(c.dir, "files", filepath.FromSlash(path)))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects.Blob(e.ID)
}

func (c *gitContents) close() {
	if c != nil && c.dir != "" {
		os.RemoveAll(c.dir) // private, and temporary
	}
}

// conversion names what may make a file differ from its blob: smudge at a
// checkout, clean when git compares. "" for neither.
type conversion struct{ smudge, clean string }

// conversion looks for whatever may apply to any file at all: attribute
// patterns are not matched. Files converted needlessly come out the same.
func (g *gitCopy) conversion(s *gitState, attributes []string) (conversion, error) {
	var c conversion
	switch crlf := strings.ToLower(s.config.String("core.autocrlf")); {
	case crlf == "input":
		c.clean = "core.autocrlf=input"
	case s.config.Bool("core.autocrlf", false):
		c.smudge = "core.autocrlf=" + crlf
	}
	everywhere, err := s.globalAttributes()
	if err != nil {
		return c, err
	}
	for _, text := range append(everywhere, attributes...) {
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			for _, word := range strings.Fields(line)[1:] {
				if err := c.attribute(s.config, word); err != nil {
					return c, err
				}
			}
		}
	}
	if c.clean == "" {
		c.clean = c.smudge
	}
	return c, nil
}

// attribute notes what one attribute of any pattern may do, see
// gitattributes(5).
func (c *conversion) attribute(config *gitdir.Config, word string) error {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "filter":
		configured := false
		for _, key := range []string{".smudge", ".clean", ".process"} {
			configured = configured || config.String("filter."+value+key) != ""
		}
		if value == "lfs" && !configured {
			return &UnsupportedError{System: "git", Feature: "Git LFS", Install: "git-lfs"}
		}
		if value != "" && configured {
			c.smudge = word
		}
	case "ident", "working-tree-encoding":
		c.smudge = word
	case "eol":
		if value == "crlf" {
			c.smudge = word
		}
		c.clean = word
	case "text", "crlf":
		if strings.EqualFold(config.String("core.eol"), "crlf") {
			c.smudge = "core.eol=crlf"
		}
		c.clean = word
	}
	return nil
}

// globalAttributes are the texts of the attribute files that are not tracked.
func (s *gitState) globalAttributes() ([]string, error) {
	user := s.config.String("core.attributesfile")
	if home, ok := strings.CutPrefix(user, "~/"); ok {
		user = filepath.Join(os.Getenv("HOME"), home)
	}
	if user == "" {
		if xdg := xdgGit(); xdg != "" {
			user = filepath.Join(xdg, "attributes")
		}
	}
	var texts []string
	for _, file := range []string{"/etc/gitattributes", user, filepath.Join(s.Common, "info", "attributes")} {
		text, err := optional(file)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func optional(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return string(data), err
}

// attributeFiles are the .gitattributes that may speak of the paths.
func attributeFiles(paths []string) []string {
	seen := make(map[string]bool)
	var files []string
	for _, p := range paths {
		for dir := path.Dir(p); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			files = append(files, path.Join(dir, ".gitattributes"))
		}
	}
	return files
}

// treeAttributes are the texts of a tree's attribute files.
func (s *gitState) treeAttributes(tree gitdir.ID, paths []string) ([]string, error) {
	files := attributeFiles(paths)
	entries, err := s.objects.Entries(tree, files)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, file := range files {
		e := entries[file]
		if !regular(e.Mode) {
			continue // there is none, or git ignores a symbolic link here
		}
		data, err := s.objects.Blob(e.ID)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(data))
	}
	return texts, nil
}

// diskAttributes are the texts of the attribute files on disk, by which git
// compares, tracked or not.
func (s *gitState) diskAttributes(paths []string) ([]string, error) {
	var texts []string
	for _, file := range attributeFiles(paths) {
		text, err := optional(filepath.Join(s.Work, filepath.FromSlash(file)))
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}
