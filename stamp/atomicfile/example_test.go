package atomicfile_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"revstamp/stamp/atomicfile"
)

func ExampleReplace() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "version.txt")
	if err := os.WriteFile(name, []byte("r41\n"), 0o640); err != nil {
		log.Fatal(err)
	}
	edit := func(old []byte) ([]byte, error) {
		return bytes.Replace(old, []byte("41"), []byte("42"), 1), nil
	}
	for range 2 {
		changed, err := atomicfile.Replace(context.Background(), name, atomicfile.Options{Root: dir}, edit)
		fmt.Println(changed, err)
	}
	data, _ := os.ReadFile(name)
	fmt.Printf("%s", data)
	// Output:
	// true <nil>
	// false <nil>
	// r42
}
