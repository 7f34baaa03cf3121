package ui

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// buffer is an io.Writer that keeps what is written.
type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// sanitizer takes secrets and control out of text. It is immutable.
type sanitizer struct {
	secrets  *strings.Replacer // nil: there are none
	utf8     bool
	workflow bool // a GitHub runner reads the output for commands
}

// minLine is the shortest line of a secret of several lines that is a secret
// by itself; shorter ones, as "}", would blot out everything.
const minLine = 8

func newSanitizer(secrets []string, utf8 bool) *sanitizer {
	var forms []string
	for _, s := range secrets {
		quoted := strconv.Quote(s)
		forms = append(forms, s, url.QueryEscape(s), url.PathEscape(s), quoted[1:len(quoted)-1])
		if lines := strings.Split(s, "\n"); len(lines) > 1 {
			for _, l := range lines {
				if l = strings.TrimSpace(l); len(l) >= minLine {
					forms = append(forms, l)
				}
			}
		}
	}
	s := &sanitizer{utf8: utf8}
	// Where two begin at the same place the longer one must win.
	slices.SortFunc(forms, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	var pairs []string
	for _, f := range slices.Compact(forms) {
		if f != "" {
			pairs = append(pairs, f, "***")
		}
	}
	if pairs != nil {
		s.secrets = strings.NewReplacer(pairs...)
	}
	return s
}

// redact is text without secrets.
func (s *sanitizer) redact(text string) string {
	if s.secrets == nil {
		return text
	}
	return s.secrets.Replace(text)
}

// plain makes control characters visible and leaves line ends and tabs.
func (s *sanitizer) plain(text string) string {
	if !s.utf8 {
		text = ascii.Replace(text)
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var b strings.Builder
	for i, c := range text {
		switch {
		case c == utf8.RuneError && isInvalid(text[i:]):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case c == '\n' || c == '\t' || !control(c):
			b.WriteRune(c)
		case c < 0x80:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	if s.workflow {
		return disarm(b.String())
	}
	return b.String()
}

// ascii are the signs revstamp itself uses.
var ascii = strings.NewReplacer("→", "->", "…", "...", "–", "-", "×", "x")

func isInvalid(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size == 1
}

// control reports whether c moves a cursor or changes the order in which text
// is read: C0 and C1, line and paragraph separators, and the bidirectional
// formatting characters.
func control(c rune) bool {
	return unicode.IsControl(c) || c == 0x2028 || c == 0x2029 || unicode.Is(unicode.Bidi_Control, c)
}

// disarm takes from text what a GitHub runner would obey: a line that begins
// with two colons after white space, and ##[ anywhere in a line, the older form
// of a command (actions/runner, ActionCommand.TryParseV2 and TryParse).
func disarm(text string) string {
	text = strings.ReplaceAll(text, "##[", "## [")
	if !strings.Contains(text, "::") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if rest := strings.TrimSpace(l); strings.HasPrefix(rest, "::") {
			lines[i] = ": :" + rest[2:]
		}
	}
	return strings.Join(lines, "\n")
}

// line is text on one line.
func (s *sanitizer) line(text string) string {
	text = strings.TrimSpace(s.plain(text))
	return strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c == '\n' }), "; ")
}

// block is text whose further lines are indented.
func (s *sanitizer) block(text, indent string) string {
	return strings.ReplaceAll(strings.TrimRight(s.plain(text), " \t\n"), "\n", "\n"+indent)
}
