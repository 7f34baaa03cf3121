package vcs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// hgrc is what a repository's own configuration says. hg never reads it here
// (HGRCSKIPREPO): it may name hooks, extensions and programs to run. What is
// data and needed is read by us, and told to hg where a network is used.
type hgrc struct {
	sections  map[string]map[string]string
	untrusted string // the file of another owner that hg would not read either
}

func (c *hgrc) get(section, name string) string { return c.sections[section][name] }

func (c *hgrc) set(section, name, value string) {
	if c.sections == nil {
		c.sections = make(map[string]map[string]string)
	}
	if c.sections[section] == nil {
		c.sections[section] = make(map[string]string)
	}
	c.sections[section][name] = value
}

// hgDataSections hold no programs: how to reach and to believe a server.
var hgDataSections = []string{"auth", "hostfingerprints", "hostsecurity", "http_proxy"}

// options are the --config arguments for what may be passed on, sorted.
func (c *hgrc) options() []string {
	var list []string
	for _, section := range hgDataSections {
		for name, value := range c.sections[section] {
			list = append(list, section+"."+name+"="+value)
		}
	}
	if ca := c.get("web", "cacerts"); ca != "" {
		list = append(list, "web.cacerts="+ca)
	}
	slices.Sort(list)
	var args []string
	for _, o := range list {
		args = append(args, "--config", o)
	}
	return args
}

// read adds a file, if hg would trust its owner.
func (c *hgrc) read(file string, trust func(uid, gid uint32) bool) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && !trust(st.Uid, st.Gid) {
		c.untrusted = file
		return nil
	}
	return c.include(file, 0)
}

const (
	maxHgrc        = 1 << 20
	deepestInclude = 8
)

func (c *hgrc) include(file string, depth int) error {
	if depth > deepestInclude {
		return fmt.Errorf("%q: too many %%include within each other", file)
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxHgrc {
		return fmt.Errorf("%q: not a configuration file", file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return c.parse(file, string(data), func(other string) error {
		other = expandHgPath(other)
		if !filepath.IsAbs(other) {
			other = filepath.Join(filepath.Dir(file), other)
		}
		return c.include(other, depth+1)
	})
}

// The lines of an hgrc, as in Mercurial's mercurial/config.py.
var (
	hgrcComment  = lazily(`^[;#]`)
	hgrcEmpty    = lazily(`^([;#]|\s*$)`)
	hgrcContinue = lazily(`^\s+(\S|\S.*\S)\s*$`)
	hgrcSection  = lazily(`^\[([^\[]+)\]`)
	hgrcItem     = lazily(`^([^=\s][^=]*?)\s*=\s*(.*\S|)`)
	hgrcUnset    = lazily(`^%unset\s+(\S+)`)
	hgrcInclude  = lazily(`^%include\s+(\S|\S.*\S)\s*$`)
)

func (c *hgrc) parse(file, text string, include func(string) error) error {
	section, item := "", "" // item: that the next line may continue
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		n++
		if item != "" {
			if hgrcComment().MatchString(line) {
				continue
			}
			if m := hgrcContinue().FindStringSubmatch(line); m != nil {
				c.set(section, item, c.get(section, item)+"\n"+m[1])
				continue
			}
			item = ""
		}
		if m := hgrcInclude().FindStringSubmatch(line); m != nil {
			if err := include(m[1]); err != nil {
				return err
			}
		} else if hgrcEmpty().MatchString(line) {
			continue
		} else if m := hgrcSection().FindStringSubmatch(line); m != nil {
			section = m[1]
		} else if m := hgrcItem().FindStringSubmatch(line); m != nil {
			item = m[1]
			c.set(section, item, m[2])
		} else if m := hgrcUnset().FindStringSubmatch(line); m != nil {
			delete(c.sections[section], m[1])
		} else {
			return fmt.Errorf("%q: line %d is no configuration", file, n)
		}
	}
	return nil
}

// expandHgPath expands $VAR and a ~ at the beginning, as hg does.
func expandHgPath(path string) string {
	path = os.Expand(path, func(name string) string {
		if value, ok := os.LookupEnv(name); ok {
			return value
		}
		return "$" + name
	})
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || rest[0] == '/') {
		if home, err := os.UserHomeDir(); err == nil {
			return home + rest
		}
	}
	return path
}

// hgTrust judges owners as hg does by its configuration of trusted users and
// groups: oneself always, and those named.
func hgTrust(users, groups string) func(uid, gid uint32) bool {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", \t\n", r) })
	}
	userNames, groupNames := split(users), split(groups)
	return func(uid, gid uint32) bool {
		if int(uid) == os.Getuid() || slices.Contains(userNames, "*") || slices.Contains(groupNames, "*") {
			return true
		}
		if u, err := user.LookupId(strconv.Itoa(int(uid))); err == nil && slices.Contains(userNames, u.Username) {
			return true
		}
		g, err := user.LookupGroupId(strconv.Itoa(int(gid)))
		return err == nil && slices.Contains(groupNames, g.Name)
	}
}
