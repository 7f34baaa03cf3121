package stamp

import (
	"slices"
	"strings"
)

// cLang is C and C++: macros, and what is declared outside of functions.
type cLang struct{}

// selector reads the key with the lexer that reads files. A name stands for a
// macro and for a variable in any namespace or class; with #define before it
// only for the one, with a type or [] only for the other.
func (cLang) selector(key string) (selector, error) {
	bad := func() (selector, error) {
		return nil, refuse(BadSelector, -1, "key %q is no name of C", key).
			hint("write NAME, #define NAME, const char NAME[], app::NAME or config.rev")
	}
	l := cLexer{src: key}
	var tokens []cToken
	for {
		t, err := l.next()
		if err != nil {
			return bad()
		}
		if t.kind == cEnd {
			break
		}
		if t.kind != cName && t.kind != cOp && t.kind != cNumber || t.spliced {
			return bad()
		}
		tokens = append(tokens, t)
	}
	if len(tokens) == 3 && tokens[0].op == '#' && tokens[2].kind == cName && key[tokens[1].start:tokens[1].end] == "define" {
		macro := "#define " + key[tokens[2].start:tokens[2].end]
		return func(k string) bool { return k == macro }, nil
	}
	n := len(tokens)
	declared := n > 2 && tokens[n-2].op == '[' && tokens[n-1].op == ']'
	if declared {
		n -= 2
	}
	first := cPathStart(tokens[:n])
	path, ok := cPath(key, tokens[first:n])
	if !ok || !cIsType(tokens[:first]) {
		return bad()
	}
	declared = declared || first > 0
	exact := strings.HasPrefix(path, "::")
	path = strings.TrimPrefix(path, "::")
	return func(k string) bool {
		if macro, ok := strings.CutPrefix(k, "#define "); ok {
			return !declared && !exact && macro == path
		}
		return k == path || !exact && strings.HasSuffix(k, "::"+path)
	}, nil
}

// cPathStart returns where the last name begins that begins a path.
func cPathStart(tokens []cToken) int {
	depth := 0
	for i, t := range slices.Backward(tokens) {
		switch {
		case t.op == ']':
			depth++
		case t.op == '[':
			depth--
		case depth == 0 && t.kind == cName && (i == 0 || tokens[i-1].op != '.' && tokens[i-1].op != cScope):
			return i
		case depth == 0 && t.op == cScope && (i == 0 || tokens[i-1].kind != cName):
			return i
		}
	}
	return len(tokens)
}

// cPath writes a path as scan does.
func cPath(key string, tokens []cToken) (path string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		name := i+1 < len(tokens) && tokens[i+1].kind == cName
		switch {
		case t.kind == cName && (i == 0 || tokens[i-1].op == cScope || tokens[i-1].op == '.'):
			ok = true
		case (t.op == cScope && !strings.ContainsAny(b.String(), ".[") || t.op == '.' && i > 0) && name:
		case t.op == '[' && ok && i+2 < len(tokens) && tokens[i+1].kind == cNumber && tokens[i+2].op == ']' &&
			cIndex().MatchString(key[tokens[i+1].start:tokens[i+1].end]):
			b.WriteString("[" + key[tokens[i+1].start:tokens[i+1].end] + "]")
			i += 2
			continue
		default:
			return "", false
		}
		if t.op == cScope {
			b.WriteString("::")
		} else {
			b.WriteString(key[t.start:t.end])
		}
	}
	return b.String(), ok
}

// cIsType reports whether the tokens can be what a declaration has before a
// name.
func cIsType(tokens []cToken) bool {
	return !slices.ContainsFunc(tokens, func(t cToken) bool {
		return t.kind != cName && t.kind != cNumber && strings.IndexByte("*&<>,", t.op) < 0 && t.op != cScope && t.op != cAnd && t.op != cShift
	})
}

func (cLang) scan(src string, _ seam, found sink) error {
	l := cLexer{src: src, tokens: usedCTokens.slice(len(src) / 8), macros: usedLiterals.slice(0)}
	if err := l.run(); err != nil {
		return err
	}
	p := cParser{src: src, tokens: l.tokens, found: l.macros}
	if err := p.run(); err != nil {
		return err
	}
	p.found.handTo(found)
	usedCTokens.keep(l.tokens)
	return nil
}

var usedCTokens used[cToken]
