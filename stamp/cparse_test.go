package stamp

import (
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"revstamp/testdata/need"
)

// compiled is what gcc says about a source of C.
type compiled struct {
	text      string            // preprocessed, with all that it includes
	variables map[string]string // outside of functions: their bytes, "" without an initialiser
	constants map[string]int64
}

func compileC(t *testing.T, dir, path string, include []string) (c compiled, ok bool) {
	t.Helper()
	args := append(slices.Clone(include), "-E", "-P", "-w", path)
	out, err := exec.Command("gcc", args...).Output()
	if err != nil {
		return c, false
	}
	c.text = string(out)
	object := filepath.Join(dir, "a.o")
	cmd := exec.Command("gcc", "-c", "-g", "-w", "-fno-eliminate-unused-debug-symbols", "-fno-eliminate-unused-debug-types", "-x", "cpp-output", "-o", object, "-")
	cmd.Stdin = strings.NewReader(c.text)
	if cmd.Run() != nil {
		return c, false
	}
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c.variables, c.constants = map[string]string{}, map[string]int64{}
	c.debugInformation(t, f)
	c.bytes(t, f)
	return c, true
}

func (c *compiled) debugInformation(t *testing.T, f *elf.File) {
	t.Helper()
	data, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	depth := 0
	for r := data.Reader(); ; {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return
		}
		if e.Tag == 0 {
			depth--
			continue
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		switch {
		case e.Tag == dwarf.TagVariable && depth == 1:
			c.variables[name] = ""
		case e.Tag == dwarf.TagEnumerator:
			v, _ := e.Val(dwarf.AttrConstValue).(int64)
			c.constants[name] = v
		case e.Tag == dwarf.TagSubprogram && e.Children:
			r.SkipChildren()
			continue
		}
		if e.Children {
			depth++
		}
	}
}

func (c *compiled) bytes(t *testing.T, f *elf.File) {
	t.Helper()
	symbols, _ := f.Symbols()
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_OBJECT || s.Section >= elf.SectionIndex(len(f.Sections)) {
			continue
		}
		section := f.Sections[s.Section]
		if _, ours := c.variables[s.Name]; !ours || section.Type != elf.SHT_PROGBITS {
			continue
		}
		data, err := section.Data()
		if err != nil {
			t.Fatal(err)
		}
		c.variables[s.Name] = string(data[s.Value : s.Value+s.Size])
	}
}

// TestCVariables compares with the debug information of gcc which variables
// and constants are declared outside of functions, and with the compiled bytes
// what they are.
func TestCVariables(t *testing.T) {
	t.Parallel()
	need.Program(t, "gcc")
	lib := filepath.Join(need.Corpus(t, "gnulib")[0], "usr/share/gnulib/lib")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.h"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(lib + "/*.c")
	more, err2 := filepath.Glob(lib + "/*/*.c")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	paths = append(paths, more...)
	tried := []string{"testdata/c/odd.c"}
	for i := 0; i < len(paths); i += 12 {
		tried = append(tried, paths[i])
	}
	files, names, values := 0, 0, 0
	for _, path := range tried {
		c, ok := compileC(t, dir, path, []string{"-I", dir, "-I", lib})
		if !ok {
			if path == tried[0] {
				t.Fatalf("gcc does not compile %s", path)
			}
			continue // written for another system, or it needs more of its own
		}
		all, err := collect(cLang{}, c.text)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		files++
		seen := map[string]bool{}
		for _, l := range all {
			if strings.ContainsAny(l.key, ".[") {
				continue
			}
			names++
			seen[l.key] = true
			if compareCompiled(t, path, l, c) {
				values++
			}
		}
		for name, bytes := range c.variables {
			pointer := strings.Contains(c.text, "(*"+name+")") // to a function: never a literal
			if bytes != "" && !seen[name] && name != "" && !pointer {
				t.Errorf("%s: gcc finds the variable %s, we do not", path, name)
			}
		}
	}
	t.Logf("%d of %d sources compared (every twelfth of %d, and our own), %d names and %d values", files, len(tried), len(paths), names, values)
	if files < 30 || names < 100 || values < 80 {
		t.Error("too few of them are compared")
	}
}

// compareCompiled reports whether there was a value to compare.
func compareCompiled(t *testing.T, path string, l literal, c compiled) bool {
	t.Helper()
	bytes, variable := c.variables[l.key]
	constant, enumerator := c.constants[l.key]
	n, err := strconv.ParseInt(strings.ToLower(l.text), 0, 64)
	switch {
	case !variable && !enumerator:
		t.Errorf("%s: %s is no variable for gcc", path, l.key)
	case enumerator && l.kind == "int":
		if err != nil || n != constant {
			t.Errorf("%s: %s is %q, and gcc reads %d", path, l.key, l.text, constant)
		}
		return true
	case l.kind == "string" && len(bytes) > 8: // no pointer
		if got := l.text + "\x00"; !strings.HasPrefix(bytes+"\x00", got) {
			t.Errorf("%s: %s is %q, and gcc reads %q", path, l.key, l.text, bytes)
		}
		return true
	case l.kind == "int" && len(bytes) == 4:
		if got := int64(int32(binary.LittleEndian.Uint32([]byte(bytes)))); err != nil || got != n && got != int64(int32(n)) {
			t.Errorf("%s: %s is %q, and gcc reads %d", path, l.key, l.text, got)
		}
		return true
	}
	return false
}
