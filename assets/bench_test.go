package assets

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// benchSite is made of pages like those of generated documentation, where most
// links go to other pages, and of a style sheet like those of icon fonts.
func benchSite() (fsys *everythingBut, page, sheet []byte) {
	random := rand.New(rand.NewPCG(7, 8))
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html><html><head><link rel=\"stylesheet\" href=\"../css/site.css\"><script src=\"/js/app.js\"></script></head><body>\n")
	for i := range 700 {
		fmt.Fprintf(&b, "<div class=\"row r%d\" id=\"n%d\"><a href=\"page%d.html#x%d\" title=\"Page\">Page %d</a> <code>a &lt; b</code>\n<p>%s</p></div>\n",
			i%7, i, random.IntN(500), i, i, strings.Repeat("some words of text ", 4+random.IntN(9)))
		if i%20 == 0 {
			fmt.Fprintf(&b, "<img src=\"/img/%d.png\" alt=\"\"><script>var x = %d < 3;</script><!-- comment -->\n", random.IntN(50), i)
		}
	}
	page = b.Bytes()
	var c bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&c, ".icon-%d:before{content:\"\\f%03x\";margin:0 auto;color:rgba(0,0,0,.%d)}\n", i, i, i%10)
		if i%50 == 0 {
			fmt.Fprintf(&c, ".bg-%d{background:url(\"../img/%d.png\") no-repeat}/* %d */\n", i, i%50, i)
		}
	}
	return &everythingBut{}, page, c.Bytes()
}

// everythingBut has every file but no documents, in no time.
type everythingBut struct{ everything }

// BenchmarkRewrite measures bytes of documents, once with references that change
// and once with those that stay.
func BenchmarkRewrite(b *testing.B) {
	fsys, page, sheet := benchSite()
	for _, c := range []struct {
		name string
		doc  Document
		src  []byte
	}{
		{"HTML", Document{Name: "doc/x.html", Path: "doc/x.html"}, page},
		{"CSS", Document{Name: "css/x.css", Path: "css/x.css"}, sheet},
		{"PHP", Document{Name: "x.php"}, append([]byte("<?php $x = 1 ?>"), page...)},
	} {
		site := &Site{FS: fsys, Rev: "42"}
		r, err := site.Rewrite(c.doc, c.src)
		if err != nil {
			b.Fatal(err)
		}
		run := func(name string, src []byte) {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(src)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := site.Rewrite(c.doc, src); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("change", c.src)
		run("stay", r.Out)
	}
}

// BenchmarkScan measures the scanners alone.
func BenchmarkScan(b *testing.B) {
	_, page, sheet := benchSite()
	for _, c := range []struct {
		name string
		kind Kind
		src  []byte
	}{{"HTML", HTML, page}, {"CSS", CSS, sheet}, {"JS", JS, benchModule()}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.src)))
			b.ReportAllocs()
			var h htmlScanner
			for b.Loop() {
				scan(nowhere{}, &h, c.src, c.kind)
			}
		})
	}
}

// benchModule is a module of ordinary code.
func benchModule() []byte {
	const code = `
/** Returns the total of an order, in cents. */
export function total(order, rates = {}) {
	const lines = order.lines.filter((l) => !/^(void|free)$/i.test(l.kind));
	for (let i = 0, n = lines.length; i < n; i++) {
		if (lines[i].price == null) { throw new Error("line " + (i + 1) + " has no price"); }
		rates[lines[i].id] = Math.round(lines[i].price * 100 / (rates.base || 1)); // rounded
	}
	return lines.reduce((sum, l) => sum + l.amount * rates[l.id], 0);
}
class Basket extends Store { get label() { return ` + "`${this.name}: ${total(this.order)}`" + `; } }
`
	return []byte("import { Store } from './store.js';\n" + strings.Repeat(code, 200) + "//# sourceMappingURL=basket.js.map\n")
}

type nowhere struct{}

func (nowhere) url(text, string)    {}
func (nowhere) module(text, string) {}
func (nowhere) base(text)           {}
func (nowhere) integrity(_, _ text) {}

// BenchmarkNormalize measures taking the versions out again.
func BenchmarkNormalize(b *testing.B) {
	fsys, page, _ := benchSite()
	doc := Document{Name: "doc/x.html", Path: "doc/x.html"}
	site := &Site{FS: fsys, Rev: "42"}
	r, err := site.Rewrite(doc, page)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(r.Out)))
	b.ReportAllocs()
	for b.Loop() {
		site.Normalize(doc, r.Out)
	}
}

// BenchmarkFiles rewrites a tree in place, written without a sync as sed -i
// does: 500 generated pages, or a copy of the tree that REVSTAMP_CORPUS names.
//
// Side by side with sed -i and two regular expressions, on a tmpfs, 2 processors
// that others used too, with two writers, the best of nine: 1,063 files of Python
// documentation took 0.60 of sed's time (0.22 s to 0.37 s), 10,286 files of
// OpenJDK documentation 0.29 (0.92 s to 3.2 s) and twice that of cp -r (0.45 s).
func BenchmarkFiles(b *testing.B) {
	for _, c := range []struct{ name, rev string }{{"revision", "42"}, {"digest", ""}} {
		b.Run(c.name, func(b *testing.B) {
			var docs []Document
			for b.Loop() {
				b.StopTimer()
				root := filepath.Join(b.TempDir(), "site")
				if tree := os.Getenv("REVSTAMP_CORPUS"); tree != "" {
					if err := os.CopyFS(root, os.DirFS(tree)); err != nil {
						b.Fatal(err)
					}
				} else {
					writeSite(b, root)
				}
				docs = documentsIn(b, root)
				b.StartTimer()
				b.SetBytes(rewriteInPlace(b, root, docs, c.rev))
			}
			b.ReportMetric(float64(len(docs)), "files")
		})
	}
}

func writeSite(b *testing.B, root string) {
	b.Helper()
	_, page, sheet := benchSite()
	write := func(name string, data []byte) {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 500 {
		write(fmt.Sprintf("doc/page%d.html", i), page)
	}
	for i := range 50 {
		write(fmt.Sprintf("img/%d.png", i), page[:i*500])
	}
	write("css/site.css", sheet)
	write("js/app.js", sheet)
}

func documentsIn(b *testing.B, root string) []Document {
	b.Helper()
	var docs []Document
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, ok := KindOf(name); ok && d.Type().IsRegular() {
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			docs = append(docs, Document{Name: name, Path: filepath.ToSlash(rel)})
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return docs
}

func rewriteInPlace(b *testing.B, root string, docs []Document, rev string) (size int64) {
	b.Helper()
	s := &Site{FS: os.DirFS(root), Rev: rev}
	for f, err := range s.Files(b.Context(), docs, nil) {
		if err != nil {
			b.Fatal(err)
		}
		size += int64(len(f.Source))
		if len(f.Out) > 0 && len(f.Source) > 0 && &f.Out[0] != &f.Source[0] {
			temp := f.Name + ".new"
			if err := os.WriteFile(temp, f.Out, 0o644); err != nil {
				b.Fatal(err)
			}
			if err := os.Rename(temp, f.Name); err != nil {
				b.Fatal(err)
			}
		}
	}
	return size
}

// BenchmarkDigest digests all assets of a tree, as BenchmarkFiles has it, and tells
// how many times that takes what digesting every file takes, one after another, as
// sha256sum does: 0.6 for 1,876 small files of an admin theme, 0.05 for 10,286 of
// OpenJDK's documentation, whose pages are no assets, and 0.9 for 1,918 scripts of
// an editor, 100 MB, on 2 processors that others used too.
func BenchmarkDigest(b *testing.B) {
	root := os.Getenv("REVSTAMP_CORPUS")
	if root == "" {
		root = b.TempDir()
		writeSite(b, root)
		for i := range 300 { // style sheets that import each other
			writeLinked(b, root, i)
		}
	}
	var ours, plain time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := (&Site{FS: os.DirFS(root), Style: ByName}).Copies(b.Context()); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)
		b.StopTimer()
		start = time.Now()
		b.SetBytes(digestAll(b, root))
		plain += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(ours)/float64(plain), "x-sha256sum")
}

func writeLinked(b *testing.B, root string, i int) {
	b.Helper()
	_, _, sheet := benchSite()
	sheet = fmt.Appendf(nil, "@import '%d.css';@import '%d.css';\n%s", i+1, i/2, sheet)
	name := filepath.Join(root, "css", fmt.Sprintf("%d.css", i))
	if err := os.WriteFile(name, sheet, 0o644); err != nil {
		b.Fatal(err)
	}
}

func digestAll(b *testing.B, root string) (size int64) {
	b.Helper()
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		n, err := io.Copy(sha256.New(), f)
		size += n
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return size
}

// BenchmarkCopies writes the copies of all assets of a tree, as BenchmarkFiles has
// it, to another directory, and once more when nothing has changed.
func BenchmarkCopies(b *testing.B) {
	root := os.Getenv("REVSTAMP_CORPUS")
	if root == "" {
		root = b.TempDir()
		writeSite(b, root)
	}
	write := func(dir string) (files int) {
		l, err := OpenLedger(dir)
		if err != nil {
			b.Fatal(err)
		}
		copies, err := (&Site{FS: os.DirFS(root), Style: ByName, Written: l.Wrote}).Copies(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Write(b.Context(), copies); err != nil {
			b.Fatal(err)
		}
		return len(copies)
	}
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			dir := filepath.Join(b.TempDir(), "out")
			b.StartTimer()
			b.ReportMetric(float64(write(dir)), "files")
			b.StopTimer()
			if err := os.RemoveAll(dir); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		dir := b.TempDir()
		write(dir)
		for b.Loop() {
			write(dir)
		}
	})
}

// Sites whose pages are each the index.html of a directory have as many of those.
func BenchmarkDivide(b *testing.B) {
	for b.Loop() {
		dirs := make(map[string][]*Rewritten)
		for i := range 20_000 {
			dirs[fmt.Sprintf("/srv/site/posts/%d", i)] = []*Rewritten{nil}
		}
		divide(dirs, make(map[string]*sync.Mutex))
	}
}
