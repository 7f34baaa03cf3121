package release

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"revstamp/stamp/atomicfile"
	"revstamp/vcs"
)

// svn replaces the files that it updates by ones that are this user's, with the mode
// of the umask: a configuration with a password in it, 0640 and www-data's, would be
// 0644 and root's. So their traits are noted before, and given back at once when svn
// has ended, and again by whoever resumes.

// noteTraits notes what the files look like that an update to t is about to change.
// It refuses those that could not look so again.
func (r *run) noteTraits(t *vcs.Target) error {
	mask, known := umask()
	for _, c := range t.Changes {
		name := r.site.state.name(r.abs(c.Path))
		if _, ok := r.traits[name]; ok || c.Op != vcs.Changed {
			continue
		}
		now, err := atomicfile.TraitsOf(r.abs(c.Path))
		if noFile(err) {
			continue
		}
		if err == nil && ownerPolicy(r.cfg) == atomicfile.KeepOwner {
			if err = now.Mine(); err != nil {
				err = fmt.Errorf("%s: %w", c.Path, err)
			}
		}
		if err == nil && !(known && usual(now, mask)) {
			err = r.journal.Note(Record{Kind: kindTraits, Path: name, Traits: &now})
		}
		if err != nil {
			return err
		}
		r.traits[name] = now
	}
	return nil
}

// usual reports whether t are what svn gives a file that it replaces, as of many files
// they are: with or without a kill they need not be noted.
func usual(t atomicfile.Traits, umask uint32) bool {
	created := executable(fs.FileMode(0o666&^umask), t.Bits&0o100 != 0)
	return t.Bits == uint32(created) && int(t.UID) == os.Geteuid() && int(t.GID) == os.Getegid() && t.Attrs == nil
}

// umask is that of this process and of the clients that it starts, where the kernel
// tells: umask(2) cannot ask for it without changing it under other goroutines.
func umask() (mask uint32, known bool) {
	status, _ := os.ReadFile("/proc/self/status") // without it, it is not known
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "Umask:"); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(value), 8, 32)
			return uint32(mask), err == nil
		}
	}
	return 0, false
}

// giveTraits gives the files that were replaced what was noted. Whether they may be
// executed the repository says.
func (r *run) giveTraits() error {
	var errs []error
	for name, want := range r.traits {
		abs := r.site.state.path(name)
		now, err := atomicfile.TraitsOf(abs)
		if noFile(err) {
			continue // it was deleted
		}
		if err == nil {
			perm := fs.FileMode(want.Bits).Perm()
			want.Bits = want.Bits&^0o777 | uint32(executable(perm, now.Bits&0o100 != 0))
			if !now.Equal(want) {
				err = want.Give(abs, r.files())
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// noFile reports whether err says that there is no regular file.
func noFile(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, atomicfile.ErrNotRegular)
}

// updated updates the working copy, whose files look then as before.
func (r *run) updated(update func() error, t *vcs.Target) error {
	if t.Revision.System != "svn" {
		return update()
	}
	if err := r.noteTraits(t); err != nil {
		return err
	}
	return errors.Join(update(), r.giveTraits())
}
