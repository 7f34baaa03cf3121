package stamp

import "strings"

// js finds in JavaScript, and with ts in TypeScript, what a name, a property or
// an export is given:
//
//	const rev = '…'                  rev
//	window.APP.rev = '…'             window.APP.rev
//	window['APP'] = { rev: '…' }     window.APP.rev
//	exports.rev = '…'                exports.rev
//	export default { rev: '…' }      default.rev
//	const hosts = [{ rev: '…' }]     hosts[0].rev
//	class Build { static rev = '…' } Build.rev
//	class Build { rev = '…' }        Build#rev, as JSDoc calls it
//	class Build { #rev = '…' }       Build.#rev
//	enum Build { Rev = '…' }         Build.Rev
//	namespace App { let rev = '…' }  App.rev
//	export = { rev: '…' }            module.exports.rev
//
// Assignments count where they are statements, or parts of one that a comma or
// another = joins. It makes no difference in which function or block something
// stands: many a configuration is in a function that is called at once. What is
// passed to a call has no key.
type js struct{ ts bool }

func (lang js) scan(src string, _ seam, found sink) error {
	s := newJSScanner(src, lang.ts)
	s.program()
	if s.err != nil {
		return s.err
	}
	s.found.handTo(found)
	return nil
}

// jsKey adds the name of a property to a key. Arrays and objects are the same
// to JavaScript: a name that is an index is written like one.
func jsKey(base, name string) string {
	switch {
	case base == "":
		return name
	case name != "" && jsClass[name[0]] == jsDigit && len(name) <= 15 && bareInt().MatchString(name):
		return base + "[" + name + "]"
	}
	return base + "." + jsKeyName(name)
}

func jsKeyName(name string) string {
	if name == "" || strings.ContainsAny(name, jsKeySpecial+`\:`) {
		return `"` + pathEscaper.Replace(name) + `"`
	}
	return name
}

const jsKeySpecial = `.[]"#`

// selector reads window.APP."site.css"[0], Build#rev and Build.#rev, and also
// window['APP']["site.css"].
func (js) selector(key string) (selector, error) {
	want, at, what := parseJSKey(key)
	if what != "" {
		return nil, refuse(BadSelector, -1, "key %q: %s at character %d", key, what, at+1).
			hint(`write rev, window.APP.rev, config['site.css'] or list[0].rev`)
	}
	return func(k string) bool { return k == want }, nil
}

// parseJSKey returns a key as scan spells it, or what is wrong with it and
// where.
func parseJSKey(key string) (want string, at int, what string) {
	for at < len(key) || want == "" {
		rest, sep := key[at:], ""
		switch {
		case want == "":
		case rest[0] == '[':
			name, n := jsSubscript(rest)
			if n == 0 {
				return "", at, "[ ] holds neither an index nor a quoted name"
			}
			want, at = jsKey(want, name), at+n
			continue
		case strings.HasPrefix(rest, ".#"):
			sep = ".#"
		case rest[0] == '.' || rest[0] == '#':
			sep = rest[:1]
		default:
			return "", at, "a dot is missing"
		}
		at += len(sep)
		name, n := jsWrittenName(key[at:])
		switch {
		case n == 0:
			return "", at, "a name is missing"
		case sep == "" || sep == ".":
			want = jsKey(want, name)
		default:
			want += sep + jsKeyName(name)
		}
		at += n
	}
	return want, at, ""
}

// jsWrittenName reads a name, perhaps in double quotes, and returns its length
// as written.
func jsWrittenName(s string) (name string, n int) {
	if strings.HasPrefix(s, `"`) {
		name, n, _ = pathName(s)
		return name, n
	}
	n = strings.IndexAny(s, jsKeySpecial)
	if n < 0 {
		n = len(s)
	}
	return s[:n], n
}

// jsSubscript reads ['name'], ["name"] or [0] and returns its length.
func jsSubscript(s string) (name string, n int) {
	end := strings.IndexByte(s, ']')
	if len(s) > 2 && (s[1] == '\'' || s[1] == '"') {
		for end = 2; end < len(s) && s[end] != s[1]; end++ {
			if s[end] == '\\' {
				end++
			}
		}
		if !strings.HasPrefix(s[min(end+1, len(s)):], "]") {
			return "", 0
		}
		name, ok := jsDecode(s[2:end])
		if !ok {
			return "", 0
		}
		return name, end + 2
	}
	if end < 2 || !bareInt().MatchString(s[1:end]) || s[1] == '-' {
		return "", 0
	}
	return s[1:end], end + 1
}
