package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"revstamp/testdata/need"
)

// attributes are all that the file system tells of name, by name.
func attributes(t testing.TB, name string) map[string]string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(name, buf)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for attr := range strings.SplitSeq(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		if attr == "" {
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(name, attr, value)
		if err != nil {
			t.Fatal(err)
		}
		all[attr] = string(value[:n])
	}
	return all
}

func setAttr(t testing.TB, name, attr, value string) {
	t.Helper()
	if err := unix.Setxattr(name, attr, []byte(value), 0); err != nil {
		t.Skipf("%s cannot be set here: %v", attr, err)
	}
}

// acl is user:65534:r--, in the form the kernel keeps.
var acl = []byte("\x02\x00\x00\x00" +
	"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xfe\xff\x00\x00" +
	"\x04\x00\x00\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff")

func TestAttributesKept(t *testing.T) {
	t.Parallel()
	name := write(t, filepath.Join(t.TempDir(), "a"), "old", 0o640)
	setAttr(t, name, "user.empty", "")
	setAttr(t, name, "user.binary", "\x00\xff\n")
	setAttr(t, name, "user.long", strings.Repeat("x", 3000)) // more than the first guess
	for i := range 30 {
		setAttr(t, name, fmt.Sprintf("user.many.%d", i), fmt.Sprint(i)) // and so are all the names
	}
	want := attributes(t, name)
	mustReplace(t, name, Options{}, "new")
	if diff := cmp.Diff(want, attributes(t, name)); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

// Attributes that belong to the content, or to the system, are not taken over.
func TestAttributesLeft(t *testing.T) {
	t.Parallel()
	need.Root(t)
	name := write(t, filepath.Join(t.TempDir(), "a"), "old", 0o755)
	setAttr(t, name, "trusted.origin", "x")
	// cap_net_bind_service, which a new program has to be given anew.
	setAttr(t, name, "security.capability", "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	mustReplace(t, name, Options{}, "new")
	if got := attributes(t, name); len(got) != 0 {
		t.Errorf("attributes = %q, want none", got)
	}
}

func TestLabelKept(t *testing.T) {
	t.Parallel()
	need.Root(t)
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "old", 0o640)
	const label = "system_u:object_r:httpd_config_t:s0\x00"
	// Without SELinux it is an attribute like any other, for root.
	setAttr(t, name, "security.selinux", label)
	store := &Backups{Dir: filepath.Join(dir, "state")}
	b := Batch{Backups: store}
	b.Add(mustOpen(t, name, Options{}), []byte("new"))
	if err := b.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{name, newest(t, store, name).Path} {
		if got := attributes(t, path)["security.selinux"]; got != label {
			t.Errorf("label of %s = %q, want %q", path, got, label)
		}
	}
}

// setfacl and getfacl are how people make and see access lists.
func getfacl(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.Command("getfacl", "--omit-header", "--numeric", "--absolute-names", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func setfacl(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("setfacl", args...).CombinedOutput(); err != nil {
		t.Skipf("no access lists here: %v, %s", err, out)
	}
}

func TestAccessListKept(t *testing.T) {
	t.Parallel()
	need.Program(t, "setfacl", "getfacl")
	for _, list := range []string{"u:65534:r", "u:65534:rw,g:65534:rwx,m::r", "g:33:r,o::-", "u::rwx,g::-,u:1234:rx"} {
		t.Run(list, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			name := write(t, filepath.Join(dir, "a"), "old", 0o640)
			setfacl(t, "-m", list, name)
			want := getfacl(t, name)
			mode := mustOpen(t, name, Options{}).Mode()
			mustReplace(t, name, Options{}, "new")
			if got := getfacl(t, name); got != want {
				t.Errorf("access list\n%swant\n%s", got, want)
			}
			if got := mustOpen(t, name, Options{}).Mode(); got != mode {
				t.Errorf("Mode = %v, want %v", got, mode)
			}
			// The copy is for nobody whom the store does not let in, and going
			// back brings the list again.
			store := &Backups{Dir: filepath.Join(dir, "state")}
			saved, err := store.Save(mustOpen(t, name, Options{}))
			if err != nil {
				t.Fatal(err)
			}
			wantPrivate(t, store.Dir)
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			mustRestore(t, store, saved, true)
			if got := getfacl(t, name); got != want {
				t.Errorf("restored access list\n%swant\n%s", got, want)
			}
		})
	}
}

// What the directory gives to each new file, a replaced file does not get; a
// created one does.
func TestDefaultAccessList(t *testing.T) {
	t.Parallel()
	need.Program(t, "setfacl", "getfacl")
	dir := t.TempDir()
	plain := write(t, filepath.Join(dir, "plain"), "old", 0o640)
	listed := write(t, filepath.Join(dir, "listed"), "old", 0o640)
	setfacl(t, "-m", "u:65534:r", listed)
	want := map[string]string{plain: getfacl(t, plain), listed: getfacl(t, listed)}
	setfacl(t, "-d", "-m", "u:1234:rwx,g:1234:rwx,o::rwx", dir)
	var temp string
	for name, want := range want {
		mustReplace(t, name, Options{Record: func(path string) error { temp = path; return nil }}, "new")
		if got := getfacl(t, name); got != want {
			t.Errorf("%s: access list\n%swant\n%s", name, got, want)
		}
	}
	if temp == "" {
		t.Error("nothing was recorded")
	}
	created := filepath.Join(dir, "created")
	mustReplace(t, created, Options{Create: true}, "new")
	if got := getfacl(t, created); !strings.Contains(got, "user:1234:rwx") {
		t.Errorf("access list of a new file\n%swant user:1234:rwx", got)
	}
}

// No other user can read the temporary file before it is all that it should be,
// whatever the directory gives to new files.
func TestTemporaryFileIsPrivate(t *testing.T) {
	t.Parallel()
	need.Program(t, "strace")
	dir := fastDir(t)
	setAttr(t, dir, "system.posix_acl_default", strings.Replace(string(acl), "\x01\x00\x06", "\x01\x00\x07", 1))
	s := scenario{changes: replaces("a")}
	found, _ := trace(t, s.fresh(t, dir))
	i := slices.IndexFunc(found, func(p point) bool { return strings.Contains(p.line, "O_CREAT|O_EXCL") })
	if i < 0 || !strings.Contains(found[i].line, "O_NOFOLLOW|O_CLOEXEC, 0600") {
		t.Fatalf("no private temporary file in %v", found)
	}
}

// The kernel takes set-group-ID away, without an error, from a file whose
// group the user is not in.
func TestModeThatCannotBeKept(t *testing.T) {
	t.Parallel()
	need.Root(t)
	const nobody, group = 65534, 4242
	dir := openTempDir(t)
	// Files made here are of that group.
	if err := errors.Join(os.Chown(dir, nobody, group), os.Chmod(dir, 0o777|fs.ModeSetgid)); err != nil {
		t.Fatal(err)
	}
	name := write(t, filepath.Join(dir, "a"), content("a", "earlier"), 0o755)
	if err := errors.Join(os.Chown(name, nobody, group), os.Chmod(name, 0o755|fs.ModeSetgid)); err != nil {
		t.Fatal(err)
	}
	j := job{Dir: dir, Changes: replaces("a"), UID: nobody}
	if status, out := run(t, child(t, j)); status != 3 || !strings.Contains(out, "became 0755") {
		t.Errorf("status %d, %s, want ErrOwner", status, out)
	}
	wantContent(t, name, content("a", "earlier"))
	wantNoLeftovers(t, dir)
	j.BestEffort = true
	if status, out := run(t, child(t, j)); status != 0 || !strings.Contains(out, "warning:") {
		t.Errorf("best effort: status %d, %s, want a warning", status, out)
	}
	wantContent(t, name, content("a", "new"))
}
