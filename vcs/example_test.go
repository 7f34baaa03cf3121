package vcs_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"revstamp/vcs"
)

// A site in a new repository, released to a clone, of which one file then
// changes.
func Example() {
	root, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	ctx := context.Background()
	source, live := filepath.Join(root, "source"), filepath.Join(root, "live")
	day := time.Date(2024, time.May, 1, 12, 0, 0, 0, time.UTC)

	commit := func(text, message string) {
		if err := os.WriteFile(filepath.Join(source, "index.html"), []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
		if _, err := vcs.CommitAll(ctx, source, message, "Ada <ada@example.com>", day); err != nil {
			log.Fatal(err)
		}
	}
	if err := vcs.Create(ctx, source); err != nil {
		log.Fatal(err)
	}
	commit("<h1>one</h1>\n", "begin")
	if err := vcs.Clone(ctx, source, live, vcs.CloneOptions{}); err != nil {
		log.Fatal(err)
	}
	commit("<h1>two</h1>\n", "say two")

	wc, err := vcs.Open(ctx, live, vcs.Options{})
	if err != nil {
		log.Fatal(err)
	}
	target, err := wc.Resolve(ctx, "", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range target.Commits {
		fmt.Println(c.Short, c.Author, c.Subject)
	}
	for _, c := range target.Changes {
		content, err := wc.Read(ctx, target, c.Path)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s: %s", c.Op, c.Path, content)
	}
	// Output:
	// fe3667c593e7 Ada say two
	// changed index.html: <h1>two</h1>
}
