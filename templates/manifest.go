package templates

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"revstamp/assets"
)

// MaxManifest is the largest manifest that is read, in bytes.
const MaxManifest = 256 << 20

// Options say how a Manifest is followed. The zero value is the usual one.
type Options struct {
	// Strict makes an asset that the manifest does not have an
	// *UnknownAssetError, which ends the template. Otherwise its URL has no
	// version, and its integrity is empty.
	Strict bool

	// OnReload, if not nil, is told of every time that the file was read again:
	// with the error for which the manifest from before stays in force, or nil.
	// It is called by one goroutine at a time.
	OnReload func(error)
}

// Manifest is a manifest file that is followed: a release that replaces the
// file, or switches a symbolic link on the way to it, is seen within moments,
// and what was asked before and what is asked after are each of one release.
// Its methods ask the disk nothing, and may be called by several goroutines.
// Close it.
type Manifest struct {
	file    string
	o       Options
	now     atomic.Pointer[view]
	watcher *fsnotify.Watcher
	watched []string // directories; owned by follow
	running sync.WaitGroup
}

// Open reads the manifest, which must be there, and begins to follow it.
func Open(file string, o Options) (*Manifest, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("follow %q: %w", file, err)
	}
	m := &Manifest{file: file, o: o, watcher: watcher}
	// Watched first and read then: a change in between is seen.
	if err := errors.Join(m.watch(), m.reload()); err != nil {
		watcher.Close() // nothing is followed
		return nil, err
	}
	m.running.Go(m.follow)
	return m, nil
}

// Close ends the following. The manifest goes on answering as it is.
func (m *Manifest) Close() error {
	err := m.watcher.Close()
	m.running.Wait()
	return err
}

// read reads a manifest file.
func read(file string) (*assets.Manifest, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	data, err := io.ReadAll(io.LimitReader(f, MaxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxManifest {
		return nil, fmt.Errorf("%q is larger than %d bytes", file, MaxManifest)
	}
	m, err := assets.ParseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", file, err)
	}
	return m, nil
}

func (m *Manifest) reload() error {
	read, err := read(m.file)
	if err == nil {
		m.now.Store(&view{read})
	}
	return err
}

// settle is how long no more may happen to the file's directory before it is
// read: a release that touches much there is not read at each step.
const settle = 20 * time.Millisecond

// follow reads the file again when anything happened to it.
func (m *Manifest) follow() {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	again := func() {
		err := errors.Join(m.watch(), m.reload())
		if m.o.OnReload != nil {
			m.o.OnReload(err)
		}
	}
	for {
		select {
		case e, ok := <-m.watcher.Events:
			if !ok {
				return
			}
			if m.concerns(e.Name) {
				timer.Reset(settle)
			}
		case _, ok := <-m.watcher.Errors: // too much happened to tell it all
			if !ok {
				return
			}
			timer.Reset(settle)
		case <-timer.C:
			again()
		}
	}
}

// concerns reports whether what happened to name can make another file of ours.
func (m *Manifest) concerns(name string) bool {
	steps, _ := steps(m.file)
	return slices.Contains(steps, filepath.Clean(name)) || slices.Contains(m.watched, filepath.Clean(name))
}

// watch watches the directory of the file, and of each link on the way to it.
func (m *Manifest) watch() error {
	names, err := steps(m.file)
	var dirs []string
	for _, name := range names {
		if dir := filepath.Dir(name); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		if addErr := m.watcher.Add(dir); addErr != nil && !errors.Is(addErr, os.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("follow %q: %w", dir, addErr))
		}
	}
	for _, dir := range m.watched {
		if !slices.Contains(dirs, dir) {
			// It is gone from the way, and perhaps altogether.
			if rmErr := m.watcher.Remove(dir); rmErr != nil && !errors.Is(rmErr, fsnotify.ErrNonExistentWatch) {
				err = errors.Join(err, rmErr)
			}
		}
	}
	m.watched = dirs
	return err
}

// maxLinks is how many symbolic links there may be on the way, as for Linux.
const maxLinks = 40

// steps are the names on the way to a file: each symbolic link, and at last the
// file itself, or the first that is not there.
func steps(file string) (names []string, err error) {
	rest := strings.Split(strings.TrimPrefix(filepath.Clean(file), "/"), "/")
	at := "/"
	for links := 0; len(rest) > 0; {
		name := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(name)
		if err != nil {
			return append(names, name), nil
		}
		if info.Mode()&os.ModeSymlink == 0 {
			at = name
			continue
		}
		names = append(names, name)
		if links++; links > maxLinks {
			return names, fmt.Errorf("%q: too many symbolic links", file)
		}
		target, err := os.Readlink(name)
		if err != nil {
			return names, nil // it was just replaced
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(strings.Trim(filepath.Clean(target), "/"), "/"), rest...)
	}
	return append(names, at), nil
}

// Asset returns the URL of the file at path, which is under the asset root, for
// a template to print; it is not escaped for HTML, which html/template does. An
// error is an *UnknownAssetError, when Options.Strict says so.
func (m *Manifest) Asset(path string) (string, error) {
	now := m.now.Load()
	url, known := now.asset(path)
	if !known && m.o.Strict {
		return "", now.unknown(path, m.file)
	}
	return url, nil
}

// Integrity returns what the attribute integrity is to be for the file at path;
// "" when the manifest does not have it, or as for Asset an error.
func (m *Manifest) Integrity(path string) (string, error) {
	now := m.now.Load()
	name, _ := cut(path)
	a, known := now.Assets[name]
	if !known && m.o.Strict {
		return "", now.unknown(path, m.file)
	}
	return a.Integrity, nil
}

// Revision returns the site's revision, as the manifest has it.
func (m *Manifest) Revision() string { return m.now.Load().Revision }

// FuncMap is for html/template and text/template: asset, integrity and revision.
// They return plain strings, so that html/template escapes them where they
// stand.
func (m *Manifest) FuncMap() map[string]any {
	return map[string]any{"asset": m.Asset, "integrity": m.Integrity, "revision": m.Revision}
}
