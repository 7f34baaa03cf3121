package release

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"revstamp/stamp/atomicfile"
)

// What is kept of releases that are over. Variables for tests.
var (
	keptJournals = 500 // releases, whatever became of them
	keptComplete = 50  // complete ones, however many have failed since
	keptLogs     = 100 // of what hooks and detached releases printed
	surplus      = 50  // by how many more journals there are before it is seen to
)

// keptMirror is how long a mirror is kept that no release is made of any more.
const keptMirror = 30 * 24 * time.Hour

// tidy removes from the state directory what is older than anybody needs: a site
// that is released for years, or that fails every few minutes, must not fill the
// disk. The caller has the site's lock. What goes wrong here is a warning.
func (s *Site) tidy(ctx context.Context) {
	if err := errors.Join(s.tidyJournals(ctx), s.tidyLogs(), s.tidyMirrors()); err != nil {
		s.observer().Warn("what is left of old releases is not removed: %v", err)
	}
}

// tidyJournals removes the journals of the oldest releases. One stays while its
// directory does, which a rollback may switch to, or while somebody follows it.
func (s *Site) tidyJournals(ctx context.Context) error {
	numbers, err := s.state.sequence()
	if err != nil || len(numbers) <= keptJournals+surplus {
		return err
	}
	var gone []*Release // newest first
	var files []string
	complete := 0
	for i, n := range slices.Backward(numbers) {
		id := strconv.Itoa(n)
		r, err := s.read(id)
		if err != nil {
			return err
		}
		if r.Status == Live {
			complete++
		}
		if len(numbers)-i <= keptJournals || r.Status == Live && complete <= keptComplete || s.stands(r) || locked(s.state.journal(id)) {
			continue
		}
		gone, files = append(gone, r), append(files, s.state.journal(id), s.state.socket(id))
	}
	if err := s.state.remember(ctx, gone); err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Remove(file); ignoreNotExist(err) != nil { // few left a socket behind
			return err
		}
	}
	return nil
}

// stands reports whether r has a directory that is still there.
func (s *Site) stands(r *Release) bool { return r.Dir != "" && isDir(s.state.path(r.Dir)) }

// clockSkew is how far ahead a file server's clock may be, which dates the files there.
const clockSkew = 24 * time.Hour

// tidyLogs removes the logs that were written to the longest ago. One from further in
// the future than clocks differ is of before the clock was set back.
func (s *Site) tidyLogs() error {
	logs, err := os.ReadDir(s.state.logs())
	if err != nil || len(logs) <= keptLogs {
		return ignoreNotExist(err)
	}
	now, written := time.Now(), make(map[string]time.Time, len(logs))
	for _, log := range logs {
		info, err := log.Info()
		if err != nil {
			return err
		}
		if written[log.Name()] = info.ModTime(); info.ModTime().After(now.Add(clockSkew)) {
			written[log.Name()] = time.Time{}
		}
	}
	names := slices.SortedFunc(maps.Keys(written), func(a, b string) int { return written[a].Compare(written[b]) })
	for _, name := range names[:len(names)-keptLogs] {
		if err := os.Remove(filepath.Join(s.state.logs(), name)); err != nil {
			return err
		}
	}
	return nil
}

// tidyMirrors removes the mirrors of repositories and branches that no release was
// made of for long.
func (s *Site) tidyMirrors() error {
	mirrors, err := filepath.Glob(filepath.Join(s.state.dir, "mirror-*"))
	if err != nil {
		return err
	}
	now := time.Now()
	for _, dir := range mirrors {
		info, err := os.Lstat(dir)
		switch {
		case err != nil:
			return err
		case dir == s.mirror():
			err = os.Chtimes(dir, now, now)
		case now.Sub(info.ModTime()) > keptMirror:
			err = os.RemoveAll(dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// remember keeps what releases wrote last to files of the site, for their journals
// are to go. What it kept before is kept on. In the releases layout nobody asks.
func (s *state) remember(ctx context.Context, gone []*Release) error {
	all, err := s.remembered()
	if err != nil {
		return err
	}
	before := len(all)
	for _, r := range slices.Backward(gone) {
		if r.Dir != "" {
			continue
		}
		for path := range r.wrote {
			if w, ok := r.writing(path); ok && w.number > all[path].number {
				all[path] = w
			}
		}
	}
	if len(all) == 0 && before == 0 {
		return nil
	}
	var b bytes.Buffer
	for _, path := range slices.Sorted(maps.Keys(all)) {
		line, err := json.Marshal(Record{Kind: kindWrote, Path: path, SHA256: all[path].sum, Release: strconv.Itoa(all[path].number)})
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	o := atomicfile.Options{Create: true, Perm: 0o600, MaxSize: -1}
	_, err = atomicfile.Replace(ctx, s.earlier(), o, func([]byte) ([]byte, error) { return b.Bytes(), nil })
	return err
}

// writing is what a release, by its number, wrote to a file: the digest, or "" of
// what is somebody else's.
type writing struct {
	number int
	sum    string
}

// writing is what r wrote to the file that the journal calls name, if anything.
func (r *Release) writing(name string) (w writing, ok bool) {
	if r.ID == "" || r.wrote[name] == "" {
		return writing{}, false
	}
	w.number, _ = strconv.Atoi(r.ID)
	if !r.theirs[name] {
		w.sum = r.wrote[name]
	}
	return w, true
}

// remembered is what releases wrote last whose journals are gone, by path.
func (s *state) remembered() (map[string]writing, error) {
	all := make(map[string]writing)
	records, err := readJournal(s.earlier())
	for _, rec := range records {
		n, _ := strconv.Atoi(rec.Release)
		all[rec.Path] = writing{n, rec.SHA256}
	}
	return all, ignoreNotExist(err)
}
