package stamp

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Kind is why a target was refused. The words are stable: they are printed and
// are in JSON output.
type Kind string

const (
	NotFound         Kind = "not-found"         // no value has this key
	Ambiguous        Kind = "ambiguous"         // several have it
	NotALiteral      Kind = "not-a-literal"     // the value is an expression, an alias, a block of text, a list
	TypeChange       Kind = "type-change"       // the value that is there has another type than the new one
	ControlCharacter Kind = "control-character" // the new value holds a character that no line of a file should
	ConflictMarkers  Kind = "conflict-markers"  // the file holds those of an unfinished merge
	ParseError       Kind = "parse-error"       // the file is not what its format says
	BadSelector      Kind = "bad-selector"      // the target itself is wrong
)

// Error is why a target was refused; the file is as it was. Find, Edit, Plan
// and Validate return it; read it with errors.As.
type Error struct {
	Kind   Kind
	File   string
	Key    string
	Line   int    // from 1; 0 when it is about no line
	Column int    // from 1, in characters; 0 when it is about no column
	Lines  []int  // of Ambiguous: where all of them are
	Detail string // what was met
	Hint   string // what to do about it; may be empty

	at int // offset in the file, -1 for none
}

// Error returns place, key and cause, without the hint.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("stamp ")
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
			if e.Column > 0 {
				fmt.Fprintf(&b, ":%d", e.Column)
			}
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		fmt.Fprintf(&b, "%s: ", e.Key)
	}
	fmt.Fprintf(&b, "%s: %s", e.Kind, e.Detail)
	return b.String()
}

// Position is where in the file it happened; line and column are 0 when it is
// about no place.
func (e *Error) Position() (file string, line, column int) { return e.File, e.Line, e.Column }

// Remedy is the hint.
func (e *Error) Remedy() string { return e.Hint }

// LogValue tells the parts of the error to a [slog.Logger].
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("kind", string(e.Kind)), slog.String("file", e.File), slog.Int("line", e.Line),
		slog.Int("column", e.Column), slog.String("key", e.Key), slog.String("detail", e.Detail),
	}
	if len(e.Lines) > 0 {
		attrs = append(attrs, slog.Any("lines", e.Lines))
	}
	return slog.GroupValue(attrs...)
}

func refuse(kind Kind, at int, format string, args ...any) *Error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...), at: at}
}

func (e *Error) hint(text string) *Error {
	e.Hint = text
	return e
}

// locate completes an error with the target's names and the place in src.
func (t Target) locate(src []byte, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	e.File, e.Key = t.File, t.selector()
	if e.at >= 0 && src != nil {
		e.Line, e.Column = position(src, e.at)
	}
	return err
}

// selector is how the target is called in messages.
func (t Target) selector() string {
	switch {
	case t.Match != "":
		return "match " + t.Match
	case t.Placeholder != "":
		return "placeholder " + t.Placeholder
	}
	return t.Key
}
