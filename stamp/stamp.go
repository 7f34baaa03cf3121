// Package stamp gives the value of a key in a file another value, and changes
// no other byte of it.
//
// A [Target] names the value by its key, never by what it is now, so that a
// second stamp finds it as well as the first:
//
//	php         $config['svn'], $config['assets']['rev'] as a subscript
//	            assignment or inside an array literal, return['assets']['rev'],
//	            NAME (define or const), App\Build::REV, App\Build::$property['key']
//	yaml        assets.rev, "quoted.key".rev, hosts[0].rev, doc[1]:assets.rev
//	json        the same, without doc[n]; jsonc has comments and trailing commas
//	toml        the same; servers[0].rev for the first [[servers]]
//	ini         section.key, key before any section, "a.b"."c.d"
//	properties  app.rev, which is one name to Java
//	env         NAME, with or without export
//	js          rev, window.APP.rev, exports.rev, default.rev (export default),
//	            config.hosts[0]."site.css", Build.rev (static), Build#rev (a field)
//	ts          the same, and members of enums and namespaces
//	python      REV, CONFIG['assets']['rev'] as a subscript assignment or inside
//	            dicts and lists, app.version, Settings.REV in a class
//	ruby        REV, App::Build::REV (or the end of it), ::REV, :rev of set :rev,
//	            config.x.rev, SETTINGS[:assets]['rev'] as a subscript or in hashes
//	xml         /project/version, c/module/@version at any depth, server[2]/@port,
//	            add[@key='Rev']/@value, dependency[artifactId='shop']/version
//	c           NAME, app::NAME, config.rev, list[0]; #define NAME for the macro
//	            alone, const char NAME[] for the variable
//	plain       no key: the whole file, or Match, or Placeholder
//
// The value is found by a parser that knows where in the file it stands, and
// must be one whole literal. It is written in the quotes that are there,
// escaped for its language, and keeps its type: a string stays a string
// although it is all digits. Then the changed text is read again, and it is
// refused unless it has the same keys, the wanted value at this one, and at all
// the others what they had. So a value that is code (a legal git branch name is
// enough) arrives as data.
//
// What is refused is an [*Error], which says why in its Kind.
package stamp

import "path/filepath"

// Target is one value in one file, and what it is to become.
type Target struct {
	// File is the file's name. Find and Edit read nothing: they use it to know
	// the format, and in errors.
	File string
	// Format is one of Formats; empty is FormatOf(File), or plain with Match or
	// Placeholder.
	Format string
	// Key says which value, in the syntax of the format. Plain has none.
	Key string
	// Match is a regular expression (package regexp) with exactly one group:
	// what the group matches is the value. It must match the stamped file too.
	// Lines end in \n for it although they end in \r\n in the file, unless it
	// says \r itself.
	Match string
	// Placeholder is text that the value replaces. It is gone afterwards, so a
	// file can be stamped this way once.
	Placeholder string
	// Value is the new value, as data: quoting and escaping are done here.
	Value string
	// Newlines lets Value hold line feeds, in formats that can write them as
	// an escape: the lines of the file stay as they are. Other control
	// characters are always refused.
	Newlines bool
	// Type is empty to keep the type of the value that is there, or "string"
	// to make it a string.
	Type string
	// All stamps every value that Key, Match or Placeholder names, and there
	// may be several; otherwise there must be exactly one.
	All bool
}

// Value is a value found in a file.
type Value struct {
	Start, End int    // its bytes, with quotes, are src[Start:End]
	Line       int    // of Start, from 1
	Column     int    // of Start, from 1, in characters
	Text       string // decoded
	// Type is string, int, float, bool or null; in some formats also number
	// (json, js), timestamp (yaml), datetime, local-datetime, date and time
	// (toml), bytes (python), symbol (ruby), bigint and undefined (js).
	Type string
}

// Change is a value that another replaced.
type Change struct {
	File   string `json:"file"`
	Key    string `json:"key"`
	Line   int    `json:"line"` // where, in the file before the change
	Column int    `json:"column"`
	Old    string `json:"old"` // decoded
	New    string `json:"new"`
}

// Validate reports what is wrong with the target itself, whatever the file
// holds: an *Error of kind BadSelector or ControlCharacter.
func (t Target) Validate() error {
	_, err := t.open()
	return t.locate(nil, err)
}

// request is a target that was understood.
type request struct {
	Target
	lang  language
	named selector
	value string
}

// open understands the target.
func (t Target) open() (request, error) {
	if t.Type != "" && t.Type != "string" {
		return request{}, refuse(BadSelector, -1, "type %q is not known", t.Type).hint(`leave it out to keep the type, or say "string"`)
	}
	name := t.Format
	if name == "" && (t.Match != "" || t.Placeholder != "") {
		name = plainFormat
	}
	if name == "" {
		var ok bool
		if name, ok = FormatOf(t.File); !ok {
			return request{}, refuse(BadSelector, -1, "the format of %q is not known by its name", filepath.Base(t.File)).
				hint("name the format: " + formatNames())
		}
	}
	if name == plainFormat {
		return t.openPlain()
	}
	f, err := formatNamed(name)
	if err != nil {
		return request{}, err
	}
	switch {
	case t.Match != "" || t.Placeholder != "":
		return request{}, refuse(BadSelector, -1, "match and placeholder are for plain, not for %s", name)
	case t.Key == "":
		return request{}, refuse(BadSelector, -1, "%s needs a key", name).hint("a key is written like " + f.example)
	}
	named, err := f.selector(t.Key)
	if err != nil {
		return request{}, err
	}
	return request{t, f.language, named, t.Value}, checkValue(t.Value, t.Newlines, f)
}

func (t Target) openPlain() (request, error) {
	lang, err := newPlain(t)
	if err != nil {
		return request{}, err
	}
	value := t.Value
	if lang == (wholeFile{}) {
		value = wholeText(value)
	}
	all := func(string) bool { return true }
	return request{t, lang, all, value}, checkValue(value, t.Newlines, format{name: plainFormat, newlines: true})
}
