package assets

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// revisionsOf versions the files of a site by these revisions.
func revisionsOf(t *testing.T, files, revisions map[string]string) map[string]string {
	t.Helper()
	s := &Site{FS: tree(files), VersionOf: func(path string) (string, error) { return revisions[path], nil }}
	out := map[string]string{}
	for name := range files {
		v, err := s.Version(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = v
	}
	return out
}

func revisionsOfSheets() map[string]string {
	revisions := map[string]string{}
	for i, name := range slices.Sorted(maps.Keys(sheets)) {
		revisions[name] = string(rune('a'+i)) + " r"
	}
	delete(revisions, "fonts/f.woff2") // unknown to version control
	return revisions
}

// TestVersionOf: a file has its own revision, and after it a digest of those
// that it covers, if any.
func TestVersionOf(t *testing.T) {
	t.Parallel()
	revisions := revisionsOfSheets()
	got := revisionsOf(t, sheets, revisions)
	for name, v := range got {
		own := strings.Replace(revisions[name], " ", "%20", 1)
		if own == "" {
			own = v[:digestLen] // by its bytes
		}
		covers := strings.Contains(sheets[name], "url(") || strings.Contains(sheets[name], "import")
		if rest := strings.TrimPrefix(v, own); covers && (len(rest) != 1+digestLen || rest[0] != '-') || !covers && v != own {
			t.Errorf("version of %s = %q, its own is %q", name, v, own)
		}
	}
	s := &Site{FS: tree(sheets), VersionOf: func(path string) (string, error) { return revisions[path], nil }}
	r, err := s.Rewrite(Document{Name: "index.html", Path: "index.html"}, []byte(`<img src="img/one.png"><link href="main.css">`))
	if want := `<img src="img/one.png?v=` + got["img/one.png"] + `"><link href="main.css?v=` + got["main.css"] + `">`; err != nil || string(r.Out) != want {
		t.Errorf("Rewrite = %s, %v, want %s", r.Out, err, want)
	}
}

// TestVersionOfFollowsReferences: a new revision of one file is a new version of
// exactly those that reach it.
func TestVersionOfFollowsReferences(t *testing.T) {
	t.Parallel()
	before := revisionsOf(t, sheets, revisionsOfSheets())
	for changed, reach := range reaches {
		revisions := revisionsOfSheets()
		revisions[changed] += "new"
		after := revisionsOf(t, sheets, revisions)
		var got []string
		for name, v := range before {
			if after[name] != v {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if d := cmp.Diff(slices.Sorted(slices.Values(reach)), got); d != "" {
			t.Errorf("a revision of %s (-want +got):\n%s", changed, d)
		}
	}
}

func TestVersionOfErrors(t *testing.T) {
	t.Parallel()
	s := &Site{FS: tree(sheets), VersionOf: func(path string) (string, error) {
		if path == "img/bg.png" {
			return "", errBroken
		}
		return "1", nil
	}}
	for _, name := range []string{"img/bg.png", "main.css", "above.css"} {
		if v, err := s.Version(name); !errors.Is(err, errBroken) {
			t.Errorf("Version(%q) = %q, %v", name, v, err)
		}
	}
	if v, err := s.Version("alone.css"); v != "1" || err != nil {
		t.Errorf("Version = %q, %v", v, err)
	}
	s = &Site{FS: tree(sheets), Rev: "1", VersionOf: func(string) (string, error) { return "2", nil }}
	if v, err := s.Version("alone.css"); err == nil {
		t.Errorf("with two kinds of version: %q", v)
	}
}

// TestRewrites: a style sheet that nobody rewrites is versioned by its bytes.
func TestRewrites(t *testing.T) {
	t.Parallel()
	version := func(image, asked string) string {
		site := tree(sheets)
		site["img/bg.png"].Data = []byte(image)
		s := &Site{FS: site, Rewrites: func(path string) bool { return path != "theme.css" }}
		v, err := s.Version(asked)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, follows := range map[string]bool{"base/base.css": true, "theme.css": false, "main.css": true} {
		if got := version("one", name) != version("two", name); got != follows {
			t.Errorf("version of %s follows what it covers: %v, want %v", name, got, follows)
		}
	}
}
