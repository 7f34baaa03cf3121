package assets

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
)

// corpora are Debian packages with pages and style sheets of other people.
var corpora = []string{
	"python3.11-doc", "postgresql-doc-15", "libboost1.81-doc",
	"mediawiki", "wordpress", "redmine", "python3-django",
}

// TestCorpus reads thousands of other people's pages and style sheets. The URLs
// that are found are those that another parser finds, and in what is rewritten
// there is, but for the versions, every byte as it was.
func TestCorpus(t *testing.T) {
	t.Parallel()
	const revision = "of-the-corpus"
	versions := [][]byte{[]byte("?v=" + revision), []byte("&amp;v=" + revision), []byte("&v=" + revision)}
	files, urls, versioned, seen := map[Kind]int{}, map[Kind]int{}, 0, map[string]bool{}
	for _, dir := range need.Corpus(t, corpora...) {
		site := &Site{FS: os.DirFS(dir), Rev: revision}
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			kind, _ := KindOf(file)
			if err != nil || !d.Type().IsRegular() || kind != HTML && kind != CSS {
				return err
			}
			src, err := os.ReadFile(file)
			template := kind == HTML && bytes.Contains(src, []byte("{%")) // which the oracle cannot read
			if err != nil || template || unreadable(src) != "" || seen[string(src)] {
				return err
			}
			seen[string(src)] = true
			want := oracles[kind](src)
			if d := cmp.Diff(want, urlsIn(t, src, kind)); d != "" {
				t.Errorf("%s (-oracle +got):\n%.2000s", file, d)
			}
			files[kind]++
			urls[kind] += len(want)

			name, err := filepath.Rel(dir, file)
			if err != nil {
				return err
			}
			doc := Document{Name: filepath.ToSlash(name), Path: filepath.ToSlash(name)}
			r, err := site.Rewrite(doc, src)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				return nil
			}
			old, out, changed := 0, r.Out, bytes.Count(r.Out, []byte("v="+revision))
			for _, ref := range r.References {
				if ref.Old != "" {
					old++
				}
			}
			for _, v := range versions {
				out = bytes.ReplaceAll(out, v, nil)
			}
			out = emptyQuery(out)
			if old == 0 && !bytes.Equal(out, emptyQuery(src)) {
				t.Errorf("%s: without the versions it differs", file)
			}
			if changed != len(r.References) {
				t.Errorf("%s: %d versions for %d references", file, changed, len(r.References))
			}
			versioned += changed
			if again, err := site.Rewrite(doc, r.Out); err != nil || !bytes.Equal(again.Out, r.Out) {
				t.Errorf("%s: rewritten again it differs, %v", file, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d pages with %d URLs, %d style sheets with %d: %d got a version", files[HTML], urls[HTML], files[CSS], urls[CSS], versioned)
	if files[HTML] < 3000 || files[CSS] < 600 || versioned < 10000 {
		t.Error("that is too little to say anything")
	}
}

// emptyQuery takes the mark of a query away that is none: in it stands the version.
func emptyQuery(src []byte) []byte { return bytes.ReplaceAll(src, []byte("?#"), []byte("#")) }
