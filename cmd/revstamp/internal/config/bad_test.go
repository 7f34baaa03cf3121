package config

import (
	"errors"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// told is what a user reads of a bad configuration.
func told(err error) string {
	var all Errors
	if !errors.As(err, &all) {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.Error() + "\n")
		if e.Hint != "" {
			b.WriteString("hint: " + e.Hint + "\n")
		}
	}
	return b.String()
}

// REVSTAMP_UPDATE=1 writes what is said now into the archive, to be read
// before it is committed.
func TestBad(t *testing.T) {
	const golden = "testdata/bad.txtar"
	archive, err := txtar.ParseFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		name, file := path.Split(archive.Files[i].Name)
		want := &archive.Files[i+1]
		if file != "revstamp.yaml" || want.Name != name+"want" {
			t.Fatalf("%s: %q and %q do not belong together", golden, archive.Files[i].Name, want.Name)
		}
		t.Run(path.Clean(name), func(t *testing.T) {
			_, err := Parse(file, archive.Files[i].Data)
			if err == nil {
				t.Fatal("no error")
			}
			got := told(err)
			if os.Getenv("REVSTAMP_UPDATE") != "" {
				want.Data = []byte(got)
				return
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if os.Getenv("REVSTAMP_UPDATE") != "" {
		if err := os.WriteFile(golden, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
