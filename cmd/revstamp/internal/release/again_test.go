package release

import (
	"testing"
	"time"
)

// TestAgain: each attempt has a key of its own and waits twice as long, up to a
// limit.
func TestAgain(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j := Job{N: 7, Unique: "my.shop/12-abc/7", State: "failed", Server: "a:1", Handle: "H:a:1", Attempts: 5, Backoff: 4 * time.Minute}
	for _, want := range []struct {
		unique string
		wait   time.Duration
	}{
		{"my.shop/12-abc/7.2", 4 * time.Minute},
		{"my.shop/12-abc/7.3", 8 * time.Minute},
		{"my.shop/12-abc/7.4", lastBackoff},
		{"my.shop/12-abc/7.5", lastBackoff},
	} {
		if !j.again(now) || j.Unique != want.unique || j.NotBefore.Sub(now) != want.wait {
			t.Errorf("%+v, want %+v", j, want)
		}
		if back := now.Add(-time.Hour); !j.due(back) {
			t.Errorf("%+v is not due at %v, before it failed", j, back)
		}
		if j.State != jobIntended || j.Server != "" || j.Handle != "" || j.due(now) || !j.due(now.Add(want.wait)) {
			t.Errorf("%+v", j)
		}
	}
	if j.again(now) || (&Job{Attempts: 1}).again(now) || (&Job{}).again(now) || (&Job{Attempts: 2, Foreground: true}).again(now) {
		t.Error("done too often")
	}
	for _, long := range []Job{
		{Unique: "s/1/1", Attempts: 100, Attempt: 60, Backoff: time.Hour},
		{Unique: "s/1/1", Attempts: 100, Attempt: 90, Backoff: lastBackoff},
	} {
		if !long.again(now) || long.NotBefore.Sub(now) != long.Backoff {
			t.Errorf("%+v", long)
		}
	}
}
