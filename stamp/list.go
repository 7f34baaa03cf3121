package stamp

import (
	"strings"
	"unicode/utf8"
)

// Entry is something in a file that has a key.
type Entry struct {
	Key    string `json:"key"`  // as Target.Key wants it
	Line   int    `json:"line"` // where its value is
	Column int    `json:"column"`
	Type   string `json:"type,omitempty"` // of its value, as Value.Type
	// Refused is why the value cannot be stamped, as "an expression"; empty
	// when it can.
	Refused string `json:"refused,omitempty"`
	// Times is how often the file has the key. When it is not 1, a target
	// needs All.
	Times int `json:"times"`
}

// List returns everything in src that has a key, in the order of the file. It
// tells no values: they may be secrets. file and formatName are as in a
// Target; plain text has no keys. The error is an *Error.
func List(file, formatName string, src []byte) ([]Entry, error) {
	t := Target{File: file}
	if formatName == "" {
		formatName, _ = FormatOf(file)
	}
	f, err := formatNamed(formatName)
	if formatName == "" {
		err = refuse(BadSelector, -1, "the format is not known by the file's name").hint("name the format: " + formatNames())
	}
	if err != nil {
		return nil, t.locate(src, err)
	}
	err = refuseConflict(src)
	if err != nil {
		return nil, t.locate(src, err)
	}
	all, err := collect(f.language, view(src))
	if err != nil {
		return nil, t.locate(src, err)
	}
	times := make(map[string]int, len(all))
	for _, l := range all {
		times[l.key]++
	}
	var entries []Entry
	at := newWalker(view(src))
	for _, l := range all {
		if _, err := f.selector(l.key); err != nil {
			continue // the file as a whole, or in a class without a name
		}
		line, column := at.position(l.start)
		entries = append(entries, Entry{l.key, line, column, l.kind, l.refused, times[l.key]})
	}
	return entries, nil
}

// walker tells the positions of offsets that mostly grow in one pass.
type walker struct {
	src          string
	at           int
	line, column int
}

func newWalker(src string) *walker { return &walker{src: src, line: 1, column: 1} }

func (w *walker) position(offset int) (line, column int) {
	if offset < w.at {
		*w = *newWalker(w.src)
	}
	passed := w.src[w.at:offset]
	if w.at == 0 {
		passed = strings.TrimPrefix(passed, bom)
	}
	if i := strings.LastIndexByte(passed, '\n'); i >= 0 {
		w.line += strings.Count(passed, "\n")
		w.column, passed = 1, passed[i+1:]
	}
	w.column += utf8.RuneCountInString(passed)
	w.at = offset
	return w.line, w.column
}
