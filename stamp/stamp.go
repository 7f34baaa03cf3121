// Package stamp gives the value of a key in a file another value, and changes
// no other byte of it.
//
// A [Target] names the value by its key, never by what it is now, so that a
// second stamp finds it as well as the first:
//
//	php    $config['svn'], $config['assets']['rev'] as a subscript assignment
//	       or inside an array literal, return['assets']['rev'], NAME (define
//	       or const), App\Build::REV, App\Build::$property['key']
//	yaml   assets.rev, "quoted.key".rev, hosts[0].rev, doc[1]:assets.rev
//	json   the same, without doc[n]
//	env    NAME, with or without export
//	plain  no key: the whole file, or Match, or Placeholder
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

import (
	"path/filepath"
	"strings"
)

// Target is one value in one file, and what it is to become.
type Target struct {
	// File is the file's name. Find and Edit read nothing: they use it to know
	// the format, and in errors.
	File string
	// Format is php, yaml, json, env or plain; empty is FormatOf(File), or
	// plain with Match or Placeholder.
	Format string
	// Key says which value, in the syntax of the format. Plain has none.
	Key string
	// Match is a regular expression (package regexp) with exactly one group:
	// what the group matches is the value. It must match the stamped file too.
	Match string
	// Placeholder is text that the value replaces. It is gone afterwards, so a
	// file can be stamped this way once.
	Placeholder string
	// Value is the new value, as data: quoting and escaping are done here.
	Value string
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
	Type       string // string, int, float, number (json), bool, null, timestamp (yaml)
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

// FormatOf returns the format of a file by its name: *.php, *.yaml and *.yml,
// *.json, and .env, .env.local, prod.env.
func FormatOf(file string) (format string, ok bool) {
	base := strings.ToLower(filepath.Base(file))
	if base == ".env" || strings.HasPrefix(base, ".env.") {
		return "env", true
	}
	switch filepath.Ext(base) {
	case ".php":
		return "php", true
	case ".yaml", ".yml":
		return "yaml", true
	case ".json":
		return "json", true
	case ".env":
		return "env", true
	}
	return "", false
}

// Validate reports what is wrong with the target itself, whatever the file
// holds: an *Error of kind BadSelector or ControlCharacter.
func (t Target) Validate() error {
	_, err := t.language()
	return t.locate(nil, err)
}

// language returns the reader and writer of the target's format.
func (t Target) language() (language, error) {
	if t.Type != "" && t.Type != "string" {
		return nil, refuse(BadSelector, -1, "type %q is not known", t.Type).hint(`leave it out to keep the type, or say "string"`)
	}
	format := t.Format
	if format == "" && (t.Match != "" || t.Placeholder != "") {
		format = "plain"
	}
	if format == "" {
		var ok bool
		if format, ok = FormatOf(t.File); !ok {
			return nil, refuse(BadSelector, -1, "the format of %q is not known by its name", filepath.Base(t.File)).
				hint("name the format: php, yaml, json, env or plain")
		}
	}
	if format != "plain" {
		if t.Match != "" || t.Placeholder != "" {
			return nil, refuse(BadSelector, -1, "match and placeholder are for plain, not for %s", format)
		}
		if t.Key == "" {
			return nil, refuse(BadSelector, -1, "%s needs a key", format)
		}
	}
	var lang language
	var err error
	switch format {
	case "php":
		lang, err = newPHP(t.Key)
	case "yaml":
		lang, err = newYAML(t.Key)
	case "json":
		lang, err = newJSON(t.Key)
	case "env":
		lang, err = newEnv(t.Key)
	case "plain":
		lang, err = newPlain(t)
	default:
		err = refuse(BadSelector, -1, "format %q is not known", format).hint("it is one of php, yaml, json, env and plain")
	}
	if err != nil {
		return nil, err
	}
	return lang, checkValue(lang.clean(t.Value))
}
