package release

import (
	"context"
	"maps"
	"os"
	"slices"

	"revstamp/stamp/atomicfile"
)

// unchanged is why there is nothing to restore.
const unchanged = "nothing to put back"

// restore puts back every backup that the release made, of files that still
// hold what it wrote. A file that somebody else changed since is left alone,
// with a warning.
func (r *run) restore(ctx context.Context) error {
	var batch atomicfile.Batch
	defer batch.Close()
	if err := r.giveBack(); err != nil {
		return err
	}
	release, err := r.site.read(r.release.ID)
	if err != nil {
		return err
	}
	var files []string
	for _, name := range slices.Sorted(maps.Keys(release.backups)) {
		if err := r.restoreFile(&batch, release, name); err != nil {
			return err
		}
		files = append(files, r.site.state.path(name))
	}
	r.removeAdded(&batch, release)
	if batch.Len() == 0 {
		return Skip(unchanged)
	}
	if err := r.dropVariants(ctx, files); err != nil {
		return err
	}
	return batch.Commit(ctx)
}

func (r *run) restoreFile(batch *atomicfile.Batch, release *Release, name string) error {
	backup := r.site.state.path(release.backups[name])
	before, err := os.ReadFile(backup)
	if err != nil {
		return err
	}
	abs := r.site.state.path(name)
	opts := r.files()
	opts.MaxSize = -1
	opts.Create = true // the update may have deleted it; going back brings it again
	f, err := atomicfile.Open(abs, opts)
	if err != nil {
		return err
	}
	if r.replaced[name] != nil && f.Exists() {
		f.Chmod(release.modes[name]) // which may be all that somebody changed
	}
	switch now := digest(f.Data()); {
	case r.replaced[name] != nil && now == digest(before):
		batch.Add(f, before)
		return nil
	case !f.Exists() || now == digest(before):
		return f.Close()
	case now == release.wrote[name], r.edits.same(abs, f.Data(), before):
		batch.Add(f, before)
		return r.wrote(abs, before)
	}
	r.site.observer().Warn("%s was changed by somebody else since; its backup is %s", r.edits.name(abs), backup)
	return f.Close()
}

// removeAdded removes the files that the release itself added, as the manifest,
// if they hold what it wrote.
func (r *run) removeAdded(batch *atomicfile.Batch, release *Release) {
	for name := range release.added {
		abs := r.site.state.path(name)
		if data, err := os.ReadFile(abs); err == nil && release.wrote[name] == digest(data) {
			batch.Remove(abs, r.files())
		}
	}
}
