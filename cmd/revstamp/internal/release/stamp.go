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
	o.Owner = ownerPolicy(s.Config)
	stamper := stamp.Stamper{Options: o, Backups: s.Backups()}
	if dry {
		targets, err := s.targets(ctx)
		if err != nil {
			return nil, err
		}
		return stamper.Plan(targets)
	}
	err = s.Alone(ctx, func() error {
		targets, err := s.targets(ctx)
		if err == nil {
			plan, err = stamper.Stamp(ctx, targets)
		}
		return err
	})
	return plan, err
}

// targets are what is stamped at the present revision, by absolute names.
func (s *Site) targets(ctx context.Context) ([]stamp.Target, error) {
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
	return targets, nil
}

// Alone calls do while it holds the site's lock, and refuses when an
// interrupted release is due.
func (s *Site) Alone(ctx context.Context, do func() error) error {
	lock, err := s.lock(ctx, 0)
	if err != nil {
		return err
	}
	defer lock.Close()
	due, err := s.due()
	if err := errors.Join(err, asError(due)); err != nil {
		return err
	}
	return do()
}

// Backups is where the site's files are kept as they were.
func (s *Site) Backups() *atomicfile.Backups {
	return &atomicfile.Backups{Dir: s.state.backups(), Keep: s.Config.Backups.Keep}
}
