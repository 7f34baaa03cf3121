package vcs

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"revstamp/vcs/internal/gitdir"
)

// Export equals "git archive", unpacked: a submodule is an empty directory.
// Where content is converted, or placeholders are filled in (export-subst), the
// git client does it, and without one that is an *UnsupportedError. Nothing is
// synced.
func (g *gitCopy) Export(ctx context.Context, rev, dir string) (err error) {
	s, err := g.look(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	c, err := g.findCommit(ctx, s, rev)
	if err != nil {
		return s.explain(err)
	}
	root, err := emptyDir(dir)
	if err != nil {
		return err
	}
	defer root.Close() // a directory
	x := gitExport{s: s}
	if err := x.readAttributes(c.Tree); err != nil {
		return s.explain(err)
	}
	conv, err := g.conversion(s, x.texts)
	if err != nil {
		return err
	}
	feature := ""
	switch {
	case conv.smudge != "":
		feature = "conversion by " + conv.smudge
	case x.attributes.Mentions("export-subst"):
		feature = "the attribute export-subst"
	case s.config.Bool("core.ignorecase", false) && x.attributes.Mentions("export-ignore"):
		feature = "core.ignoreCase=true"
	default:
		_, err := x.write(ctx, root, c.Tree, "")
		return s.explain(err)
	}
	return g.host.archive(ctx, s, c.ID, feature, func(r io.Reader) error { return untar(r, root) })
}

// emptyDir opens a directory that it makes, or that holds nothing yet.
func emptyDir(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("export to %q: not empty", dir)
	}
	return os.OpenRoot(dir)
}

// gitExport writes a tree as it is in the repository.
type gitExport struct {
	s          *gitState
	texts      []string // of all the attribute files
	attributes gitdir.Attributes
}

// readAttributes reads the attributes of a tree, and those that are not
// tracked, as git archive does: the files on disk do not matter.
func (x *gitExport) readAttributes(tree gitdir.ID) error {
	type file struct {
		path string
		id   gitdir.ID
	}
	var files []file
	err := x.s.objects.Files(tree, func(name string, e gitdir.Entry) {
		if path.Base(name) == ".gitattributes" && regular(e.Mode) {
			files = append(files, file{name, e.ID})
		}
	})
	if err != nil {
		return err
	}
	global, err := x.s.globalAttributes()
	if err != nil {
		return err
	}
	own := len(global) - 1 // info/attributes goes before all others
	for _, text := range global[:own] {
		x.attributes.Add("", text)
	}
	// A directory's file goes before those above it.
	slices.SortFunc(files, func(a, b file) int {
		return cmp.Compare(strings.Count(a.path, "/"), strings.Count(b.path, "/"))
	})
	for _, f := range files {
		data, err := x.s.objects.Blob(f.id)
		if err != nil {
			return err
		}
		x.texts = append(x.texts, string(data))
		x.attributes.Add(strings.TrimSuffix(f.path, ".gitattributes"), string(data))
	}
	x.attributes.Add("", global[own])
	return nil
}

// write writes a tree to a directory, which is at prefix of the whole, and
// returns how many entries that made, or would but for their attributes.
func (x *gitExport) write(ctx context.Context, dir *os.Root, tree gitdir.ID, prefix string) (made int, err error) {
	entries, err := x.s.objects.Tree(tree)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return made, context.Cause(ctx)
		}
		name := prefix + e.Name
		isDir := e.Mode == gitdir.ModeDir || e.Mode == gitdir.ModeGitlink
		if x.attributes.Value(name, isDir, "export-ignore") == gitdir.Set {
			if e.Mode != gitdir.ModeDir {
				made++ // git archive keeps the directory
			}
			continue
		}
		n := 1
		switch e.Mode {
		case gitdir.ModeDir:
			n, err = x.writeDir(ctx, dir, e, name+"/")
		case gitdir.ModeGitlink:
			err = dir.Mkdir(e.Name, 0o777)
		default:
			err = x.writeFile(dir, e)
		}
		if err != nil {
			return made, err
		}
		made += n
	}
	return made, nil
}

// writeDir leaves no directory of which all that is in it are directories left
// out.
func (x *gitExport) writeDir(ctx context.Context, dir *os.Root, e gitdir.TreeEntry, prefix string) (made int, err error) {
	if err := dir.Mkdir(e.Name, 0o777); err != nil {
		return 0, err
	}
	below, err := dir.OpenRoot(e.Name)
	if err != nil {
		return 0, err
	}
	defer below.Close() // a directory
	if made, err = x.write(ctx, below, e.ID, prefix); err != nil || made > 0 {
		return made, err
	}
	return 0, dir.Remove(e.Name)
}

func (x *gitExport) writeFile(dir *os.Root, e gitdir.TreeEntry) error {
	data, err := x.s.objects.Blob(e.ID)
	if err != nil {
		return err
	}
	if e.Mode == gitdir.ModeSymlink {
		return dir.Symlink(string(data), e.Name)
	}
	return create(dir, e.Name, fileMode(e.Mode), bytes.NewReader(data))
}

func create(dir *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// untar unpacks what git archive writes.
func untar(r io.Reader, root *os.Root) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(h.Name, "/")
		switch h.Typeflag {
		case tar.TypeXGlobalHeader: // the commit's id
		case tar.TypeDir:
			err = root.Mkdir(name, 0o777)
		case tar.TypeSymlink:
			err = root.Symlink(h.Linkname, name)
		case tar.TypeReg:
			mode := fs.FileMode(0o644)
			if h.Mode&0o100 != 0 {
				mode = 0o755
			}
			err = create(root, name, mode, t)
		default:
			err = fmt.Errorf("git archive: %q is of kind %q", h.Name, h.Typeflag)
		}
		if err != nil {
			return err
		}
	}
}
