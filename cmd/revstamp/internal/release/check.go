package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"revstamp/cmd/revstamp/internal/config"
)

// checkStep asks the site whether it works, now that visitors have the release.
// If it does, or nobody wants to know, the release is live; if not, it is
// undone.
type checkStep struct{ *run }

func (checkStep) Name() string { return "check" }

func (s checkStep) Run(ctx context.Context) (string, error) {
	began := time.Now()
	for _, c := range s.cfg.Checks {
		text, err := config.Expand(c.Text, values(s.cfg, s.plan.To))
		if err != nil {
			return "", fmt.Errorf("%v: %w", c.Pos, err)
		}
		if err := healthy(ctx, c, text); err != nil {
			return "", err
		}
	}
	if s.cfg.Layout == config.InPlace && s.cfg.Assets != nil {
		s.cleanAssets(ctx)
	}
	if err := s.live(); err != nil {
		return "", err
	}
	switch len(s.cfg.Checks) {
	case 0:
		return "", Skip("none configured")
	case 1:
		return fmt.Sprintf("%s answered after %v", s.cfg.Checks[0].URL, time.Since(began).Round(time.Millisecond)), nil
	}
	return fmt.Sprintf("%d pages answered after %v", len(s.cfg.Checks), time.Since(began).Round(time.Millisecond)), nil
}

const (
	firstPause = 100 * time.Millisecond // doubled up to lastPause
	lastPause  = 2 * time.Second
	answerTime = 10 * time.Second // for one answer
	mostBody   = 1 << 20          // bytes of it that are looked at
)

// healthy asks until the answer is as it should be, or the time is over.
func healthy(ctx context.Context, c config.Check, text string) error {
	n, err := persist(ctx, c.Within, func() error { return ask(ctx, c, text) })
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w (asked %d times in %v)", c.URL, err, n, c.Within)
	}
	return err
}

// persist tries until there is no error or the time is over, the last time then. It
// returns how often it did, and the last error.
func persist(ctx context.Context, within time.Duration, try func() error) (n int, err error) {
	end, pause := time.Now().Add(within), firstPause
	for n = 1; ; n++ {
		if err = try(); err == nil {
			return n, nil
		}
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		left := time.Until(end)
		if left <= 0 {
			return n, err
		}
		select {
		case <-time.After(min(pause, left)):
		case <-ctx.Done():
			return n, context.Cause(ctx)
		}
		pause = min(2*pause, lastPause)
	}
}

// ask asks once. A redirect is an answer like any other.
func ask(ctx context.Context, c config.Check, text string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTime, fmt.Errorf("no answer in %v", answerTime))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return err
	}
	req.Host = c.Host
	req.Header.Set("Cache-Control", "no-cache")
	req.Header.Set("User-Agent", "revstamp")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return inner(err)
	}
	defer res.Body.Close()
	if res.StatusCode != c.Status {
		return fmt.Errorf("status %d, not %d", res.StatusCode, c.Status)
	}
	if text == "" {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, mostBody))
	if err != nil {
		return err
	}
	if !strings.Contains(string(body), text) {
		return fmt.Errorf("the answer does not hold %q", text)
	}
	return nil
}

// inner is what went wrong, without the address, which is told already.
func inner(err error) error {
	var failed interface{ Unwrap() error }
	if errors.As(err, &failed) {
		return failed.Unwrap()
	}
	return err
}
