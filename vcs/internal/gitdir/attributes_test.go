package gitdir

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"revstamp/vcs/vcstest"
)

// TestAttributes asks git about many paths and patterns, those that people write
// and those that chance makes.
func TestAttributes(t *testing.T) {
	t.Parallel()
	g := vcstest.NewGit(t)
	r := rand.New(rand.NewPCG(7, 7))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	text := strings.NewReplacer("é", "\xc3\xa9").Replace(`# comment
[attr]secret export-ignore -other
[attr] not a macro
*.txt x
docs x
docs/ other
/top x=1
a/b x=set
a/**/c x
**/deep x
a/** other
x** x
a**/b other
a/*/c -x
*.t[xyz]t x=a=b
"a b/*.q" x
"a\tb" x
"\303\251*" x
"open x
!neg x
\!neg x
s* secret
*.bin binary x=y
b.bin !x
bad -
worse x =y
[[:alpha:]]1 x=class
[[:nope:]]1 x
[a-c-e]2 x
[]a]3 x
[!a]4 x
[^a]4 other
[a\]]5 x
[a 6 x
lead\ing x
trail\
	crlf x` + "\r\n" + strings.Repeat("l", 2044) + " x\n" + strings.Repeat("l", 2045) + " x\n")
	for range 300 {
		var b strings.Builder
		for range 1 + r.IntN(7) {
			b.WriteString(pick("a", "b", "c", "/", "/", "*", "**", "?", "[ab]", "[!a]", `\a`, "ab"))
		}
		text += fmt.Sprintf("%s %s=%d\n", b.String(), pick("x", "other"), r.IntN(100))
	}
	below := "b x=below\n/c x=c\nd/* x=d\n[attr]mine x\nmine mine\n"
	paths := []string{"top", "a/top", "docs/", "docs", "a b/x.q", "a\tb", "é1", "open", "!neg", "neg", "s1", "f.bin", "b.bin",
		"q1", "a2", "d2", "-2", "]3", "a4", "b4", "]5", "[a", "leading", "trail", "trail\\", "crlf", "xy", "xy/z", "mine", "e/mine", "e/b", "e/c", "e/f/c", "e/d/g", "e/",
		strings.Repeat("l", 2044), strings.Repeat("l", 2045)}
	for range 700 {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString(pick("a", "b", "c", "/", "ab", "abc"))
		}
		p := filepath.Clean(strings.Trim(b.String(), "/"))
		if p != "." {
			paths = append(paths, p+pick("", "", "/"))
		}
	}
	vcstest.Write(t, g.Dir, ".gitattributes", text)
	vcstest.Write(t, g.Dir, "e/.gitattributes", below)
	vcstest.Write(t, g.Dir, ".git/info/attributes", "ab/ab x=info\n")
	var a Attributes
	a.Add("", text)
	a.Add("e/", below)
	a.Add("", "ab/ab x=info\n")
	names := []string{"x", "other", "export-ignore", "text"}
	cmd := exec.Command("git", append([]string{"check-attr", "-z", "--stdin"}, names...)...)
	cmd.Dir = g.Dir
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\x00"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(answers) != 3*len(names)*len(paths) {
		t.Fatalf("%d answers", len(answers))
	}
	said := 0
	for i := 0; i < len(answers); i += 3 {
		file, name, want := answers[i], answers[i+1], answers[i+2]
		path, dir := strings.CutSuffix(file, "/")
		got := a.Value(path, dir, name)
		switch want {
		case "unset", "unspecified":
			want = ""
		default:
			said++
			got = strings.TrimPrefix(got, "=")
		}
		if got != want {
			t.Errorf("%s of %q = %q, want %q", name, file, got, want)
		}
	}
	if said < 300 {
		t.Errorf("git said something only %d times", said)
	}
	if a.Mentions("none") || !a.Mentions("other") || !a.Mentions("diff") {
		t.Error("Mentions is wrong")
	}
}

// FuzzWildmatch ends in good time, whatever the pattern.
func FuzzWildmatch(f *testing.F) {
	f.Add(strings.Repeat("*a", 40), strings.Repeat("a", 400)+"b")
	f.Add(strings.Repeat("**/a", 20), strings.Repeat("a/", 400)+"b")
	f.Add("[[:alpha:]-]*", "x")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(pattern)+len(path) < 1<<10 {
			wildmatch(pattern, path, true)
		}
		new(Attributes).Add("", pattern+"\n"+path)
	})
}
