package assets

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// Shapes are the names that Manifest.Encode knows.
func Shapes() []string { return []string{"revstamp", "mix", "vite", "django"} }

// Encode writes the manifest as JSON: sorted, indented, and always the same for
// the same assets. The shapes are
//
//	revstamp  this type, which ParseManifest reads
//	mix       {"/css/site.css": "/css/site.css?v=42"}, as Laravel Mix writes it;
//	          keys and values begin with the site's prefix. Symfony reads it with
//	          its JsonManifestVersionStrategy
//	vite      {"css/site.css": {"file": "css/site.css?v=42", "src": "css/site.css"}},
//	          as Vite does in .vite/manifest.json; without the prefix
//	django    {"paths": {"css/site.css": "css/site.3fa9c1e2.css"}, "version": "1.0",
//	          "hash": "…"}, as ManifestStaticFilesStorage of every Django reads it
//	          as staticfiles.json; 4.2 and later write version 1.1, for the hash,
//	          and take it from 1.0 as well. It is for names: in a query Django
//	          would escape the "?", so that this is an error
func (m *Manifest) Encode(shape string) ([]byte, error) {
	var v any
	switch shape {
	case "revstamp", "":
		v = m
	case "mix":
		all := make(map[string]string, len(m.Assets))
		for p, a := range m.Assets {
			all[m.URL+p] = a.URL
		}
		v = all
	case "vite":
		type chunk struct {
			File      string `json:"file"`
			Src       string `json:"src"`
			Integrity string `json:"integrity,omitempty"`
		}
		all := make(map[string]chunk, len(m.Assets))
		for p, a := range m.Assets {
			file := escapePath(cmp.Or(a.Name, p))
			if _, query, ok := strings.Cut(a.URL, "?"); ok {
				file += "?" + query
			}
			all[p] = chunk{file, p, a.Integrity}
		}
		v = all
	case "django":
		paths := make(map[string]string, len(m.Assets))
		for p, a := range m.Assets {
			if a.Name == "" && canHaveName(p) {
				return nil, fmt.Errorf("manifest shape django is for names: the version of %q is in its query", p)
			}
			paths[p] = cmp.Or(a.Name, p)
		}
		v = djangoManifest{Paths: paths, Version: "1.0", Hash: djangoHash(paths)}
	default:
		return nil, fmt.Errorf("manifest shape %q is not known: it is one of %s", shape, strings.Join(Shapes(), ", "))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// djangoManifest is staticfiles.json, by django/contrib/staticfiles/storage.py.
type djangoManifest struct {
	Paths   map[string]string `json:"paths"`
	Version string            `json:"version"`
	Hash    string            `json:"hash"`
}

// djangoHash is what Django makes of the paths: of the MD5 of their sorted list,
// as Python writes it in JSON, the first twelve digits.
func djangoHash(paths map[string]string) string {
	var b []byte
	for i, p := range slices.Sorted(maps.Keys(paths)) {
		b = append(b, ", "[:2*min(i, 1)]...)
		b = append(pythonString(append(b, '['), p), ", "...)
		b = append(pythonString(b, paths[p]), ']')
	}
	sum := md5.Sum(slices.Concat([]byte("["), b, []byte("]")))
	return hex.EncodeToString(sum[:])[:12]
}

// pythonString appends s in JSON as Python's json.dumps does: in ASCII.
func pythonString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case ' ' <= r && r <= '~':
			b = append(b, byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}
