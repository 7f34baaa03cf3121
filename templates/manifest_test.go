package templates_test

import (
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"revstamp/assets"
	"revstamp/templates"
)

// opened follows a manifest, and returns what waits until it was read again.
func opened(t *testing.T, file string) (m *templates.Manifest, reloaded func() error) {
	t.Helper()
	told := make(chan error, 100)
	m, err := templates.Open(file, templates.Options{OnReload: func(err error) { told <- err }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, func() error {
		select {
		case err := <-told:
			return err
		case <-t.Context().Done():
			return t.Context().Err()
		}
	}
}

func digests(t *testing.T, content string) *assets.Site {
	return &assets.Site{FS: os.DirFS(site(t, content))}
}

// TestReload replaces the manifest in the ways that releases do.
func TestReload(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	mkdir := func(name string) string {
		dir := filepath.Join(root, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	link := func(target, name string) {
		t.Helper()
		name = filepath.Join(root, name)
		if err := errors.Join(os.Symlink(target, name+".new"), os.Rename(name+".new", name)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		write(t, filepath.Join(mkdir(fmt.Sprintf("releases/%d", i)), "m.json"), digests(t, fmt.Sprint(i)), fmt.Sprint(i))
	}
	link("releases/0", "current")
	link("current", "live") // a link to a link
	m, reloaded := opened(t, filepath.Join(root, "live", "m.json"))
	wait := func(want string) {
		t.Helper()
		for m.Revision() != want {
			if err := reloaded(); err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
		}
	}
	wait("0")
	link("releases/1", "current")
	wait("1")
	link(filepath.Join(root, "releases/2"), "live") // past the other link
	wait("2")
	write(t, filepath.Join(root, "releases/2/m.json"), digests(t, "x"), "2b")
	wait("2b")
	if err := os.WriteFile(filepath.Join(root, "releases/2/m.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	for reloaded() == nil { // what went before may be told still
	}
	if got := m.Revision(); got != "2b" {
		t.Errorf("after a broken manifest Revision = %q", got)
	}
	if err := os.Rename(filepath.Join(root, "live"), filepath.Join(root, "away")); err != nil {
		t.Fatal(err)
	}
	link("releases/3", "live")
	wait("3")
}

// TestReloadConcurrently asks while releases go on: each page is of one release.
func TestReloadConcurrently(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "m.json")
	write(t, file, digests(t, "0"), "0")
	m, reloaded := opened(t, file)
	const releases = 20
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for m.Revision() != fmt.Sprint(releases) {
				if url, err := m.Asset("css/site.css"); err != nil || !strings.Contains(url, "/css/site.css?v=") {
					t.Errorf("Asset = %q, %v", url, err)
					return
				}
			}
		})
	}
	for i := 1; i <= releases; i++ {
		write(t, file, digests(t, fmt.Sprint(i)), fmt.Sprint(i))
	}
	for m.Revision() != fmt.Sprint(releases) {
		if err := reloaded(); err != nil {
			t.Error(err)
		}
	}
	readers.Wait()
}

// TestNoDisk asks after the manifest and its directory are gone.
func TestNoDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "m.json")
	write(t, file, digests(t, "0"), "0")
	m, reloaded := opened(t, file)
	before, _ := m.Asset("css/site.css")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := reloaded(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reload without a file: %v", err)
	}
	if after, err := m.Asset("css/site.css"); err != nil || after != before {
		t.Errorf("Asset = %q, %v, want %q", after, err, before)
	}
	if allocs := testing.AllocsPerRun(100, func() { m.Asset("css/site.css") }); allocs > 0 {
		t.Errorf("Asset allocates %v times", allocs)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty": "", "list": "[]", "other": `{"/app.js": "/app.js?id=1"}`, "newer": `{"format": 9}`, "torn": `{"format": 1, "assets": {"a`,
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := templates.Open(file, templates.Options{}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("Open of %s: %v", name, err)
		}
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{loop, filepath.Join(dir, "missing"), dir, filepath.Join(dir, "missing", "m.json")} {
		if _, err := templates.Open(file, templates.Options{}); err == nil {
			t.Errorf("Open(%q) succeeded", file)
		}
	}
}

// TestStrict ends a template at what the manifest does not have.
func TestStrict(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "m.json")
	write(t, file, digests(t, "0"), "0")
	m, err := templates.Open(file, templates.Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, call := range []string{"asset", "integrity"} {
		page := template.Must(template.New("page").Funcs(m.FuncMap()).Parse(`{{` + call + ` "styles/site.css"}}`))
		var unknown *templates.UnknownAssetError
		err := page.Execute(&strings.Builder{}, nil)
		if !errors.As(err, &unknown) || unknown.Near != "css/site.css" || unknown.Manifest != file {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// TestEscaping has html/template escape what the functions return.
func TestEscaping(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "m.json")
	write(t, file, digests(t, "0"), "<0>")
	m, _ := opened(t, file)
	page := template.Must(template.New("page").Funcs(m.FuncMap()).Parse(`<a href="{{asset "css/site.css?a&b"}}">{{revision}}</a>`))
	var b strings.Builder
	if err := page.Execute(&b, nil); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "&amp;a&amp;b\">&lt;0&gt;</a>") {
		t.Errorf("page: %s", got)
	}
}
