package release

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/config"
)

// standing is the release to go back to when it stands there whole, so that
// nothing need be built: nil when it does not, or no such thing is asked for.
func (s *Site) standing(in intent) (*Release, error) {
	if s.Config.Layout != config.Releases {
		return nil, nil
	}
	r := in.rollback
	if in.resume != nil && in.resume.Rollback != "" {
		var err error
		if r, err = s.Find(in.resume.Rollback); err != nil || r.Dir != in.resume.Dir {
			return nil, err
		}
	}
	if r == nil || r.Dir == "" {
		return nil, nil
	}
	differ, err := s.differences(r)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil // removed long ago
	case err != nil:
		differ = []string{err.Error()}
	}
	if len(differ) > 0 {
		s.observer().Warn("release %s is not any more what it was: %s; it is built anew", r.ID, listed(differ))
		return nil, nil
	}
	for _, name := range s.handEdited(r) {
		s.observer().Warn("%s was edited by hand in release %s; the edit is kept", name, r.ID)
	}
	return r, nil
}

// planBack is a plan to switch to a release that stands there.
func (s *Site) planBack(back *Release) (*Plan, error) {
	since, err := s.Current()
	if err != nil {
		return nil, err
	}
	if err := s.checkCurrent(); err != nil {
		return nil, err
	}
	p := &Plan{Site: s.Config.Site, Since: since, From: since.To, To: back.To}
	p.work = &work{site: s, cfg: s.Config, dir: s.state.path(back.Dir), built: true}
	if p.astray = since.Dir != back.Dir || !s.leadsTo(p.work.dir); p.astray {
		p.Jobs, err = jobsOf(s.Config, back.To)
	} else {
		p.Jobs = s.owed(since)
	}
	return p, err
}

// treeOf is where it is written down what the release in dir is made of.
func (s *state) treeOf(dir string) string {
	return filepath.Join(s.dir, "trees", filepath.Base(dir))
}

// writeTree writes that down: of each file its mode, size and modification time.
func (s *state) writeTree(dir string, skip func(string) bool) error {
	files, err := listTree(dir, skip)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, f := range files {
		fmt.Fprintln(&b, f)
	}
	file := s.treeOf(dir)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o600)
}

// String is a line of what is written down. Of directories, into which an
// application may put files, only the name counts.
func (f treeFile) String() string {
	if f.mode.IsDir() {
		return fmt.Sprintf("dir 0 0 %q", f.name)
	}
	return fmt.Sprintf("%o %d %d %q", uint32(f.mode), f.size, f.changed.UnixNano(), f.name)
}

// readTree reads what is written down of the release in dir: its lines, by name.
func (s *state) readTree(dir string) (map[string]string, error) {
	data, err := os.ReadFile(s.treeOf(dir))
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		_, quoted, _ := strings.Cut(line, ` "`)
		name, err := strconv.Unquote(`"` + quoted)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no line of it", s.treeOf(dir), line)
		}
		all[name] = line
	}
	return all, nil
}

// differences lists what is missing or changed in the directory of r, but for
// configuration, which people edit, and the lists of copies, to which those of other
// releases are added, and of variants. What was added there does not count.
func (s *Site) differences(r *Release) ([]string, error) {
	dir := s.state.path(r.Dir)
	written, err := s.state.readTree(dir)
	if err != nil {
		return nil, err
	}
	now, err := listTree(dir, func(string) bool { return false })
	if err != nil {
		return nil, err
	}
	var differ []string
	for _, f := range now {
		was, ok := written[f.name]
		if ok && was != f.String() && !s.stamped(f.name) && !assets.LedgerFile(f.name) && !assets.CompressedFile(f.name) {
			differ = append(differ, f.name+" has changed")
		}
		delete(written, f.name)
	}
	for name := range written {
		differ = append(differ, name+" is missing")
	}
	slices.Sort(differ)
	return differ, nil
}

// stamped reports whether a file, named as in the configuration, is stamped.
func (s *Site) stamped(name string) bool {
	return slices.ContainsFunc(s.Config.Stamp, func(st config.Stamp) bool { return filepath.Clean(st.File) == filepath.FromSlash(name) })
}

// handEdited are the stamped files of r's directory that somebody changed since
// it was live.
func (s *Site) handEdited(r *Release) []string {
	dir := s.state.path(r.Dir)
	written, err := s.state.readTree(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, st := range s.Config.Stamp {
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(st.File)))
		if err != nil || slices.Contains(names, st.File) {
			continue
		}
		f := treeFile{filepath.ToSlash(filepath.Clean(st.File)), info.Mode(), info.Size(), info.ModTime()}
		if was, ok := written[f.name]; ok && was != f.String() {
			names = append(names, st.File)
		}
	}
	return names
}

// listed names the first few of many.
func listed(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
