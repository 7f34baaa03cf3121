package vcs_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// TestSvnReaders has two readers during many updates back and forth: of a file of
// 2 MB, which is to be wholly of one revision, and of a stamped one, whose
// repository's text is never to be seen.
func TestSvnReaders(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	rounds := 200
	if testing.Short() {
		rounds = 5
	}
	up := vcstest.NewSvn(t)
	files := func(letter string) vcstest.Files {
		return vcstest.Files{
			"large.js":   strings.Repeat(letter, size),
			"config.php": "<?php // " + letter + "\n$rev = 'unstamped';\n",
		}
	}
	revs := []string{up.Commit("a", files("a")), up.Commit("b", files("b"))}
	dir := up.Checkout("")
	stamp(t, dir, "config.php", "3")
	stopLarge := watch(t, filepath.Join(dir, "large.js"), func(b []byte) bool {
		return len(b) == size && bytes.Count(b, b[:1]) == size
	})
	stopStamped := watch(t, filepath.Join(dir, "config.php"), func(b []byte) bool {
		return string(b) == stampText(files("a")["config.php"], revs[0]) || string(b) == stampText(files("b")["config.php"], revs[1])
	})
	wc := open(t, dir, vcs.Options{})
	for i := range rounds {
		update(t, wc, revs[i%2], revs[i%2])
		if t.Failed() {
			break
		}
	}
	stopLarge()
	stopStamped()
}
