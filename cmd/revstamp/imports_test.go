package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// room is what the packages of one folder may import besides the standard
// library and each other. A folder inside it may be a room of its own.
type room struct {
	own   []string // packages of this module
	other []string // modules, or folders of modules
}

// house is the table of who may import whom. The command is not in it: it
// may import everything, and nothing may import it.
var house = map[string]room{
	"stamp":             {own: []string{"stamp/atomicfile"}, other: []string{"gopkg.in/yaml.v3"}},
	"stamp/atomicfile":  {other: []string{"golang.org/x/sys"}},
	"vcs":               {other: []string{"github.com/go-git/go-git/v5", "github.com/go-git/go-billy/v5", "github.com/rogpeppe/go-internal/diff", "golang.org/x/sync", "golang.org/x/sys"}},
	"assets":            {own: []string{"stamp/atomicfile"}, other: []string{"github.com/andybalholm/brotli", "github.com/klauspost/compress", "golang.org/x/net/html", "golang.org/x/sync", "golang.org/x/sys"}},
	"templates":         {own: []string{"assets"}, other: []string{"github.com/fsnotify/fsnotify"}},
	"gearman":           {own: []string{"gearman/wire"}, other: []string{"golang.org/x/sys"}},
	"gearman/wire":      {},
	"gearman/jobserver": {own: []string{"gearman/wire", "stamp/atomicfile"}},

	"gearman/jobserver/boltstore": {own: []string{"gearman/jobserver"}, other: []string{"go.etcd.io/bbolt"}},

	"cmd/revstamp/internal/config": {other: []string{"gopkg.in/yaml.v3", "github.com/bmatcuk/doublestar/v4"}},
	"cmd/revstamp/internal/ui":     {other: []string{"github.com/vbauerster/mpb/v8", "golang.org/x/term"}},
}

// vague are names that a package here does not have.
var vague = []string{"util", "utils", "common", "types", "helpers", "misc", "pkg"}

const module = "revstamp/"

// trespasses lists the imports that break the rules of the house, and the
// packages that have no place in it.
func trespasses(imports map[string][]string) []string {
	var found []string
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		name := strings.TrimPrefix(pkg, module)
		if slices.Contains(vague, name[strings.LastIndex(name, "/")+1:]) {
			found = append(found, name+" says nothing by its name")
		}
		if forTests(name) {
			continue // no more than a part of the tests that use it
		}
		at := roomOf(name)
		if at == "" && !within(name, "cmd") {
			found = append(found, name+" has no room in the house")
			continue
		}
		for _, path := range imports[pkg] {
			if !allowed(at, path) {
				found = append(found, name+" imports "+path)
			}
		}
	}
	return found
}

func allowed(at, path string) bool {
	own, ok := strings.CutPrefix(path, module)
	switch {
	case ok && forTests(own):
		return false
	case at == "":
		return true
	case ok:
		return roomOf(own) == at || slices.Contains(house[at].own, own)
	case !strings.Contains(strings.Split(path, "/")[0], "."):
		return true // the standard library
	}
	return slices.ContainsFunc(house[at].other, func(m string) bool { return within(path, m) })
}

// roomOf is the innermost room that package name is in.
func roomOf(name string) string {
	best := ""
	for at := range house {
		if within(name, at) && len(at) > len(best) {
			best = at
		}
	}
	return best
}

func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// forTests reports whether package name is there for tests alone, as vcs/vcstest.
func forTests(name string) bool {
	return within(name, "testdata") || strings.HasSuffix(name, "test")
}

func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...", "./testdata/need")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	imports := map[string][]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		imports[p.ImportPath] = p.Imports
	}
	if len(imports["revstamp/stamp"]) == 0 || len(imports["revstamp/cmd/revstamp"]) == 0 {
		t.Fatalf("go list names %d packages, and not the ones that matter", len(imports))
	}
	for _, found := range trespasses(imports) {
		t.Error(found)
	}
}

// The command does without what takes a process longer to initialise than most
// of its work lasts: go-git has support for ssh and signatures, and links both
// to whoever imports its top or its plumbing/object.
func TestLinked(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "revstamp/vcs") {
		t.Fatalf("go list names %d packages, and not those that matter", len(linked))
	}
	for _, heavy := range []string{"golang.org/x/crypto/ssh", "github.com/ProtonMail/go-crypto/openpgp", "html/template"} {
		if slices.Contains(linked, heavy) {
			t.Errorf("%s is linked into the command", heavy)
		}
	}
}

func TestTrespasses(t *testing.T) {
	got := trespasses(map[string][]string{
		"revstamp/stamp":                       {"revstamp/stamp/atomicfile", "revstamp/stamp/php", "gopkg.in/yaml.v3", "os"},
		"revstamp/stamp/atomicfile":            {"golang.org/x/sys/unix", "revstamp/stamp"},
		"revstamp/stamp/internal/util":         nil,
		"revstamp/vcs":                         {"revstamp/cmd/revstamp/internal/ui", "revstamp/vcs/vcstest", "github.com/spf13/cobra"},
		"revstamp/vcs/vcstest":                 {"revstamp/testdata/need", "revstamp/stamp"},
		"revstamp/gearman":                     {"revstamp/gearman/wire", "revstamp/gearman/jobserver", "revstamp/gearman/wireless"},
		"revstamp/gearman/jobserver":           {"revstamp/gearman", "golang.org/x/sysx"},
		"revstamp/cmd/revstamp":                {"revstamp/vcs", "revstamp/gearman/jobserver", "github.com/spf13/cobra"},
		"revstamp/cmd/revstamp/internal/ui":    {"revstamp/cmd/revstamp/internal/config"},
		"revstamp/cmd/revstamp/internal/other": {"revstamp/testdata/need"},
		"revstamp/tools":                       {"os"},
	})
	want := []string{
		"cmd/revstamp/internal/other imports revstamp/testdata/need",
		"cmd/revstamp/internal/ui imports revstamp/cmd/revstamp/internal/config",
		"gearman imports revstamp/gearman/jobserver",
		"gearman/jobserver imports revstamp/gearman",
		"gearman/jobserver imports golang.org/x/sysx",
		"stamp/atomicfile imports revstamp/stamp",
		"stamp/internal/util says nothing by its name",
		"tools has no room in the house",
		"vcs imports revstamp/cmd/revstamp/internal/ui",
		"vcs imports revstamp/vcs/vcstest",
		"vcs imports github.com/spf13/cobra",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The folders of the repository that hold Go code are those of the table.
func TestFolders(t *testing.T) {
	const root = "../.."
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if _, ok := house[name]; ok || strings.HasPrefix(name, ".") || name == "cmd" || name == "testdata" {
			continue
		}
		if !e.IsDir() {
			if filepath.Ext(name) == ".go" {
				t.Errorf("%s stands outside every folder", name)
			}
			continue
		}
		if file := goFile(t, filepath.Join(root, name)); file != "" {
			t.Errorf("%s is Go code in a folder that is not of the house", file)
		}
	}
}

// goFile is a Go file below dir, or "".
func goFile(t *testing.T, dir string) (found string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			found = path
			return fs.SkipAll
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
