package vcs

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs/internal/gitdir"
)

func TestReadReply(t *testing.T) {
	t.Parallel()
	in := "o\x00\x00\x00\x03one" + "e\x00\x00\x00\x02no" + "d\x00\x00\x00\x01x" + "L\x00\x00\x10\x00" + "o\x00\x00\x00\x01!" +
		"r\x00\x00\x00\x04\x00\x00\x00\x0a"
	var answer, stdout, stderr bytes.Buffer
	status, err := readReply(bufio.NewReader(strings.NewReader(in+"rest")), &answer, &stdout, &stderr)
	if err != nil || status != 10 || stdout.String() != "one!" || stderr.String() != "no" || answer.String() != "\x00\x00\x00\x00" {
		t.Errorf("readReply = %d, %v; %q, %q, %q", status, err, &stdout, &stderr, &answer)
	}
	for _, bad := range []string{"", "o", in[:10], in[:len(in)-1], "r\x00\x00\x00\x05abcde", "X\x00\x00\x00\x00", "o\xff\xff\xff\xffx"} {
		if status, err := readReply(bufio.NewReader(strings.NewReader(bad)), io.Discard, io.Discard, io.Discard); err == nil {
			t.Errorf("readReply(%q) = %d", bad, status)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add([]byte("o\x00\x00\x00\x03oner\x00\x00\x00\x04\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		readReply(bufio.NewReader(bytes.NewReader(data)), io.Discard, &out, &out)
		if out.Len() > len(data) {
			t.Errorf("%d bytes of %d", out.Len(), len(data))
		}
	})
}

func TestReadHgFiles(t *testing.T) {
	t.Parallel()
	files := func(in string) (map[string]string, error) {
		got := make(map[string]string)
		err := readHgFiles(bufio.NewReader(strings.NewReader(in)), func(path string, size int64, from io.Reader) error {
			data, err := io.ReadAll(from)
			if err == nil && int64(len(data)) != size {
				err = io.ErrUnexpectedEOF
			}
			got[path] = string(data)
			return err
		})
		return got, err
	}
	got, err := files("3:a:b\x001:20:empty\x005:c\x00\x00\x01\x02:\n")
	if d := cmp.Diff(map[string]string{"a:b": "1:2", "empty": "", "c": "\x00\x01\x02:\n"}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	for _, bad := range []string{"3", "3:", "3:a", "3:a\x00", "3:a\x00xy", "-1:a\x00", "x:a\x00", "99999999999999999999:a\x00"} {
		if got, err := files(bad); err == nil {
			t.Errorf("readHgFiles(%q) = %q", bad, got)
		}
	}
}

func FuzzReadHgFiles(f *testing.F) {
	f.Add([]byte("3:a:b\x001:20:empty\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		readHgFiles(bufio.NewReader(bytes.NewReader(data)), func(_ string, size int64, from io.Reader) error {
			n, err := io.CopyN(io.Discard, from, size)
			if n > int64(len(data)) {
				t.Errorf("%d bytes of %d", n, len(data))
			}
			return err
		})
	})
}

func TestHgrc(t *testing.T) {
	t.Parallel()
	const text = "\ufeff# comment\n[paths]\r\ndefault = http://a = b\n; comment\n  continued\n# comment\n\tmore\nempty =\n" +
		"gone = x\n%unset gone\n[auth]\nx.password = p\n%include ~/other\n[ auth ]\n[hooks]\nupdate = run\n[web]\ncacerts = ca\n"
	c := new(hgrc)
	var included []string
	if err := c.parse("hgrc", text, func(s string) error { included = append(included, s); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := c.get("paths", "default"); got != "http://a = b\ncontinued\nmore" {
		t.Errorf("paths.default = %q", got)
	}
	if _, ok := c.sections["paths"]["gone"]; ok || c.get("auth", "x.password") != "p" {
		t.Errorf("sections = %v", c.sections)
	}
	if d := cmp.Diff([]string{"~/other"}, included); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"--config", "auth.x.password=p", "--config", "web.cacerts=ca"}, c.options()); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"x\n", " x = y\n", "[paths\n", "[a]\nb = c\n\n d\n"} {
		if err := new(hgrc).parse("hgrc", bad, nil); err == nil {
			t.Errorf("parse(%q) succeeded", bad)
		}
	}
}

func FuzzHgrc(f *testing.F) {
	f.Add("[paths]\ndefault = x\n y\n%unset default\n%include z\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := new(hgrc)
		if c.parse("hgrc", text, func(string) error { return errors.New("no") }) != nil {
			return
		}
		for _, o := range c.options() {
			if section, _, _ := strings.Cut(o, "."); o != "--config" && section == "hooks" {
				t.Errorf("options: %q", o)
			}
		}
	})
}

func TestHgTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`plain`: "plain", `a\\b`: `a\b`, `it\'s`: "it's", `'`: "'", `\xc3\xa9 "q"`: `é "q"`, `\t\n`: "\t\n", "é": "é",
	} {
		if got, err := unescapeHg(text); got != want || err != nil {
			t.Errorf("unescapeHg(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`\`, `\x1`, `\q`} {
		if got, err := unescapeHg(text); err == nil {
			t.Errorf("unescapeHg(%q) = %q", text, got)
		}
	}
	if rows, err := hgRows("a\x00\x00c\x00d\x00", 2); err != nil || cmp.Diff([][]string{{"a", ""}, {"c", "d"}}, rows) != "" {
		t.Errorf("hgRows = %q, %v", rows, err)
	}
	for _, text := range []string{"a", "a\x00", "a\x00b", "a\x00b\x00c\x00"} {
		if rows, err := hgRows(text, 2); err == nil {
			t.Errorf("hgRows(%q) = %q", text, rows)
		}
	}
	for _, text := range []string{"a", "a\x00b\x00", "a\x00b\x00c\x00file\x00"} {
		if c, _, err := nextHgChange(text); err == nil {
			t.Errorf("nextHgChange(%q) = %v", text, c)
		}
	}
	id := strings.Repeat("a1", 20)
	list, err := parseHgManifest(id + " 644   a b\n" + id + " 755 * x\n" + id + " 644 @  l\n")
	if err != nil || len(list) != 3 || list["a b"].mode != gitdir.ModeRegular || list["x"].mode != gitdir.ModeExecutable ||
		list[" l"].mode != gitdir.ModeSymlink || list["x"].id != id {
		t.Errorf("parseHgManifest = %v, %v", list, err)
	}
	for _, text := range []string{"\n", id + "\n", id + " 644   a", id + " 644   \n", id + " 640   a\n", "x" + id + " 644   a\n"} {
		if list, err := parseHgManifest(text); err == nil {
			t.Errorf("parseHgManifest(%q) = %v", text, list)
		}
	}
	if got := hgQuote(`it's a \ "b"`); got != `'it\'s a \\ "b"'` {
		t.Errorf("hgQuote = %s", got)
	}
	for path, want := range map[string]bool{
		"a": true, "a/.hgignore": true, "-x/...": true, "set:x": true,
		"": false, "/a": false, "a//b": false, "a/": false, "..": false, "a/../b": false, ".": false,
		".hg": false, ".hg/hgrc": false, "a/.HG/hgrc": false, "a\x00b": false,
	} {
		if got := safeHgPath(path); got != want {
			t.Errorf("safeHgPath(%q) = %v", path, got)
		}
	}
	for _, holder := range []string{"", "x", "elsewhere:1", hgHost() + ":", hgHost() + ":0", hgHost() + ":-1", hgLockHolder()} {
		if deadHgLock(holder) {
			t.Errorf("the holder %q is taken for dead", holder)
		}
	}
}

func TestHgUpstream(t *testing.T) {
	t.Setenv("SOME_DIR", "/some")
	t.Setenv("HOME", "/home/me")
	for path, want := range map[string]string{
		"": "", "../up": "/top/up", "/abs": "/abs", "~/x": "/home/me/x", "$SOME_DIR/x": "/some/x", "$NONE/x": "/top/dir/$NONE/x",
		"http://host/x": "http://host/x", "ssh://host/x": "ssh://host/x", "-x": "/top/dir/-x", "a%%b": "/top/dir/a%b", "file:/x": "file:/x",
	} {
		if got, err := hgUpstream("/top/dir", path); got != want || err != nil {
			t.Errorf("hgUpstream(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"static-http://x/", "union:/x", "bundle:/x", "bundle:x", "ext::x", "git://x/"} {
		if got, err := hgUpstream("/top/dir", path); err == nil && strings.Contains(got, ":") && !strings.HasPrefix(got, "/top/dir/") {
			t.Errorf("hgUpstream(%q) = %q", path, got)
		}
	}
}
