package release

import (
	"context"
	"errors"

	"revstamp/stamp"
	"revstamp/stamp/atomicfile"
)

// Stamp gives the stamped keys of the configuration the values they have at
// the revision that the working copy is at, apart from any release. All are
// planned before one is written, and the site's lock is held meanwhile. o says
// how the files are written, as far as the configuration does not. With dry the
// plan is returned without being carried out. The caller closes the plan.
func (s *Site) Stamp(ctx context.Context, o atomicfile.Options, dry bool) (plan *stamp.Plan, err error) {
	if !dry {
		lock, err := s.lock(ctx, 0)
		if err != nil {
			return nil, err
		}
		defer lock.Close()
		due, err := s.due()
		if err := errors.Join(err, asError(due)); err != nil {
			return nil, err
		}
	}
	rev, err := s.Revision(ctx)
	if err != nil {
		return nil, err
	}
	targets, err := targets(s.Config, rev)
	if err != nil {
		return nil, err
	}
	for i := range targets {
		targets[i].File = s.Config.Abs(targets[i].File)
	}
	o.Owner = ownerPolicy(s.Config)
	stamper := stamp.Stamper{Options: o, Backups: s.Backups()}
	if plan, err = stamper.Plan(targets); err != nil || dry {
		return plan, err
	}
	if err := plan.Commit(ctx); err != nil {
		return nil, err
	}
	return plan, nil
}

// Backups is where the site's files are kept as they were.
func (s *Site) Backups() *atomicfile.Backups {
	return &atomicfile.Backups{Dir: s.state.backups(), Keep: s.Config.Backups.Keep}
}
