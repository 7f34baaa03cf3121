package vcs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

var site = vcstest.Files{
	"config.php":        "<?php\n$name = 'shop';\n$rev = '0';\n$debug = false;\n",
	"index.html":        "<h1>one</h1>\n",
	"css/site.css":      "a{}\n",
	"bin/run":           "#!/bin/sh\necho one\n",
	"link":              "-> index.html",
	"old/gone.txt":      "gone\n",
	"with space é\n-x":  "odd\n",
	"-dash":             "dash\n",
	"img/deep/er/a.bin": "\x00\x01\x02",
}

var next = vcstest.Files{
	"config.php":        "<?php\n$name = 'Shop';\n$rev = '0';\n$debug = true;\n",
	"index.html":        "<h1>two</h1>\n",
	"css/new.css":       "b{}\n",
	"bin/run":           "#!/bin/sh\necho two\n",
	"link":              "-> css/site.css",
	"old/gone.txt":      "",
	"with space é\n-x":  "odder\n",
	"-dash":             "dasher\n",
	"img/deep/er/a.bin": "",
}

func TestGitUpdate(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up := vcstest.NewGit(t)
		first := up.Commit("one", site)
		dir := up.Clone()
		stamp := stampEdit("1")
		out, _ := stamp("config.php", []byte(site["config.php"]))
		vcstest.Write(t, dir, "config.php", string(out))
		wc := open(t, dir, o)
		if got := revision(t, wc); got.ID != first || got.Modified != nil {
			t.Errorf("Revision = %+v", got)
		}
		second := up.Commit("two\n\nbody", next)
		target := resolve(t, wc, "")
		if target.From != first || target.Revision.ID != second || len(target.Commits) != 1 || target.Commits[0].Subject != "two" {
			t.Errorf("Resolve = %+v", target)
		}
		update(t, wc, "", "2")
		want := vcstest.Snapshot(t, up.Dir)
		out, _ = stampEdit("2")("config.php", []byte(want["config.php"]))
		want["config.php"] = string(out)
		if d := cmp.Diff(want, vcstest.Snapshot(t, dir)); d != "" {
			t.Error(d)
		}
		if got := status(t, dir); got != " M config.php" {
			t.Errorf("git status = %q", got)
		}
		vcstest.Run(t, dir, nil, "git", "fsck", "--strict")
		t.Log(vcstest.Run(t, dir, nil, "git", "status"))
		if got := revision(t, wc); got.ID != second || got.Modified != nil {
			t.Errorf("Revision = %+v", got)
		}
		update(t, wc, first, "1")
		t.Log(vcstest.Run(t, dir, nil, "git", "reflog"))
		if got := revision(t, wc); got.ID != first || got.Modified != nil {
			t.Errorf("Revision = %+v", got)
		}
	})
}
