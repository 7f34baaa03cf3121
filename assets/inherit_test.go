package assets

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInherit makes three releases in directories of their own. Each has the
// copies of those before it, as far as they are kept, but none that somebody
// changed meanwhile, and none where another file has the name.
func TestInherit(t *testing.T) {
	t.Parallel()
	css := func(text string) map[string]string { return map[string]string{"a/site.css": text} }
	var dirs []string
	next := func(text string) []string {
		root := t.TempDir()
		put(t, root, css(text))
		if n := len(dirs); n > 0 {
			l, err := OpenLedger(root)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Inherit(t.Context(), dirs[n-1]); err != nil {
				t.Fatal(err)
			}
		}
		l, _ := release(t, root, root)
		if _, err := l.Clean(t.Context(), Retention{Releases: 1}); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, root)
		var names []string
		for name := range dirOf(t, root) {
			if _, copied := Original(name); copied {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	one, two, three := next("/*1*/"), next("/*2*/"), next("/*3*/")
	if len(one) != 1 || len(two) != 2 || len(three) != 2 {
		t.Fatalf("the releases have %q, %q and %q", one, two, three)
	}
	if !slices.Contains(two, one[0]) || slices.Contains(three, one[0]) {
		t.Errorf("of %q the second release has %q, and the third, that keeps one, %q", one, two, three)
	}
	was, err := os.Stat(filepath.Join(dirs[0], one[0]))
	if err != nil {
		t.Fatal(err)
	}
	is, err := os.Stat(filepath.Join(dirs[1], one[0]))
	if err != nil {
		t.Fatal(err)
	}
	if is.Mode() != was.Mode() || !is.ModTime().Equal(was.ModTime()) || readFile(t, filepath.Join(dirs[1], one[0])) != "/*1*/" {
		t.Errorf("the copy is %v of %v, its original was %v of %v", is.Mode(), is.ModTime(), was.Mode(), was.ModTime())
	}

	// going back: the old release gets what visitors of the newer ones ask for
	put(t, dirs[2], map[string]string{three[0]: "mine"})
	old, err := OpenLedger(dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	got, err := old.Inherit(t.Context(), dirs[2])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(three[1:], got); d != "" {
		t.Errorf("inherited: %s", d)
	}
	put(t, dirs[1], map[string]string{got[0]: "theirs"})
	second, err := OpenLedger(dirs[1])
	if err != nil {
		t.Fatal(err)
	}
	before := dirOf(t, dirs[1])
	if got, err := second.Inherit(t.Context(), dirs[0]); err != nil || got != nil {
		t.Errorf("Inherit = %q, %v where all names are taken", got, err)
	}
	if d := cmp.Diff(before, dirOf(t, dirs[1])); d != "" {
		t.Errorf("the directory changed: %s", d)
	}

	// nothing to inherit
	if got, err := second.Inherit(t.Context(), t.TempDir()); err != nil || got != nil {
		t.Errorf("Inherit = %q, %v of a directory without a ledger", got, err)
	}
}
