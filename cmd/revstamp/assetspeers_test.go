package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"revstamp/testdata/need"
)

// benchPeers do with a tree what "assets rewrite --style name --out" does. They are
// looked for where benchTrees are, and left out where they are not: gulp's packages by
// "npm install gulp gulp-rev gulp-rev-rewrite" in its directory, Django's by
// "dpkg-deb --extract" of python3-django, python3-asgiref, python3-sqlparse and
// python3-tz.
var benchPeers = []struct {
	name   string
	needs  string // below the corpora
	script string // its name
	text   string
	run    func(peers, script, site, out string) *exec.Cmd
}{
	{
		name: "gulp", needs: "gulp/node_modules", script: "gulp.mjs", text: gulpScript,
		run: func(peers, script, site, out string) *exec.Cmd { return exec.Command("node", script, site, out) },
	},
	{
		name: "django", needs: "django/usr/lib/python3/dist-packages", script: "collect.py", text: djangoScript,
		run: func(peers, script, site, out string) *exec.Cmd {
			cmd := exec.Command(need.DebianPython, script, site, out)
			cmd.Env = append(os.Environ(), "PYTHONPATH="+peers)
			return cmd
		},
	},
}

// gulpScript is gulp-rev with gulp-rev-rewrite, as its manual has it: pages and style
// sheets get the names of everything else.
const gulpScript = `
import { readFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import gulp from 'gulp';
import rev from 'gulp-rev';
import revRewrite from 'gulp-rev-rewrite';
const [site, out] = process.argv.slice(2);
const all = { encoding: false, nodir: true };
await finished(gulp.src([site + '/**/*', '!' + site + '/**/*.html'], all)
	.pipe(rev()).pipe(gulp.dest(out)).pipe(rev.manifest()).pipe(gulp.dest(out)).resume());
const manifest = readFileSync(out + '/rev-manifest.json');
for (const [from, what] of [[site, '/**/*.html'], [out, '/**/*.css']]) {
	await finished(gulp.src(from + what, { ...all, allowEmpty: true }).pipe(revRewrite({ manifest })).pipe(gulp.dest(out)).resume());
}
`

// djangoScript is collectstatic with ManifestStaticFilesStorage, which looks into style
// sheets alone, told to bear references to files that are missing.
const djangoScript = `
import sys, django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=['django.contrib.staticfiles'], STATIC_URL='/', MEDIA_URL='/media/', STATIC_ROOT=sys.argv[2],
    STATICFILES_DIRS=[sys.argv[1]], STATICFILES_STORAGE='__main__.Storage')
django.setup()
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
class Storage(ManifestStaticFilesStorage):
    manifest_strict = False
    max_post_process_passes = 20
    def hashed_name(self, name, content=None, filename=None):
        try:
            return super().hashed_name(name, content, filename)
        except ValueError:
            return name
from django.core.management import call_command
call_command('collectstatic', interactive=False, verbosity=0)
`

// benchAgainstPeers times each peer once, and reports how many times as long it takes
// as revstamp did.
func benchAgainstPeers(b *testing.B, corpora, site, dir string, best fastest) {
	for _, peer := range benchPeers {
		needs := filepath.Join(corpora, filepath.FromSlash(peer.needs))
		if _, err := os.Stat(needs); err != nil {
			b.Logf("%s is left out: %v", peer.name, err)
			continue
		}
		work := filepath.Join(dir, peer.name)
		out, script := filepath.Join(work, "out"), filepath.Join(work, peer.script)
		err := errors.Join(os.MkdirAll(work, 0o755), os.WriteFile(script, []byte(peer.text), 0o644),
			os.Symlink(needs, filepath.Join(work, filepath.Base(needs))))
		if err != nil {
			b.Fatal(err)
		}
		best.time(b, peer.name, func() error {
			text, err := peer.run(needs, script, site, out).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%s: %w: %s", peer.name, err, text)
			}
			return nil
		})
		if err := os.RemoveAll(work); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(best.ratio(peer.name, "names"), peer.name+"/names")
		b.ReportMetric(best.ratio(peer.name, "revision"), peer.name+"/revision")
	}
}
