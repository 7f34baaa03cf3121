package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// Data is what a template of the configuration sees.
type Data struct {
	Revision string // the whole id: git's hash, Subversion's number
	Short    string
	Branch   string // "" when on none
	Tag      string // "" when on none
	Describe string
	Bookmark string // Mercurial's active one
	Phase    string // Mercurial's
	Author   string
	Date     Date   // of the commit
	URL      string // where the working copy comes from
	System   string // git, svn or hg
	Site     string // the site's name in the configuration

	number, lastChanged int64
}

// SetNumbers sets what a revision of Subversion has besides: its number, and that
// of the last revision that changed the site.
func (d *Data) SetNumbers(number, lastChanged int64) { d.number, d.lastChanged = number, lastChanged }

// Number is Subversion's. With another system it is an error: a 0 would be
// written where a revision belongs.
func (d Data) Number() (int64, error) { return NumberOf(d.System, ".Number", d.number) }

// LastChanged is the last revision that changed the site, as Number is.
func (d Data) LastChanged() (int64, error) { return NumberOf(d.System, ".LastChanged", d.lastChanged) }

// NumberOf is n, the value of that field of a revision, or a *NoNumberError with
// another system than Subversion.
func NumberOf(system, field string, n int64) (int64, error) {
	if system != "svn" {
		return 0, &NoNumberError{Field: field, System: system}
	}
	return n, nil
}

// A NoNumberError is a template that asks for a number of a revision that has none.
type NoNumberError struct {
	Field  string // .Number or .LastChanged
	System string // git or hg, "" if unknown
}

func (e *NoNumberError) Error() string {
	of := e.System
	if of == "" {
		of = "this working copy"
	}
	return fmt.Sprintf("%s: the revisions of %s have no numbers, as those of Subversion do", e.Field, of)
}

// Hint says what to write instead.
func (e *NoNumberError) Hint() string {
	return "use {{.Short}}; where a number stands in the file, type: string lets it become a string"
}

// Date is a time that prints as RFC 3339 in UTC; {{.Date.Format "20060102"}}
// prints it otherwise.
type Date struct{ time.Time }

// String is d in RFC 3339, in UTC.
func (d Date) String() string { return d.UTC().Format(time.RFC3339) }

// Expand carries out text, a text/template over d, a struct: [Data], or another
// one with fields and with methods that take the place of fields. What a method
// returned as an error is in the chain of Expand's.
func Expand(text string, d any) (string, error) {
	t, err := parseTemplate(text, reflect.TypeOf(d))
	if err != nil {
		return "", fmt.Errorf("template %q: %w", text, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, d); err != nil {
		if none, ok := errors.AsType[*NoNumberError](err); ok {
			return "", fmt.Errorf("template %q: %w", text, none)
		}
		return "", &templateError{fmt.Sprintf("template %q: %s", text, plainTemplateError(err)), err}
	}
	return b.String(), nil
}

// A templateError is a template that could not be carried out.
type templateError struct {
	msg string
	err error // text/template's
}

func (e *templateError) Error() string { return e.msg }
func (e *templateError) Unwrap() error { return e.err }

// A fieldError names a field that the data of a template, or a part of it, does
// not have.
type fieldError struct {
	field string
	hint  string
}

func (e *fieldError) Error() string { return fmt.Sprintf("no field %q", e.field) }

// Hint says what there is.
func (e *fieldError) Hint() string { return e.hint }

// parseTemplate parses text, a template over data of a type, and checks that
// every field it names exists, so that a misspelt one is found when a file is
// read and not in mid-release.
func parseTemplate(text string, data reflect.Type) (*template.Template, error) {
	t, err := template.New("value").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s", plainTemplateError(err))
	}
	for _, each := range t.Templates() {
		// What the dot is in a {{define}} is for its callers to say.
		dot := reflect.Type(nil)
		if each.Name() == "value" {
			dot = data
		}
		c := checker{templates: t, root: dot}
		if c.list(each.Root, dot); c.err != nil {
			return nil, c.err
		}
	}
	return t, nil
}

// templatePrefix is what text/template puts before its messages: the name
// that we gave the template, line, column, and where execution stood.
var templatePrefix = lazily(`^template: value:\d+(:\d+)?: (executing "value" at )?`)

func plainTemplateError(err error) string {
	return templatePrefix().ReplaceAllString(err.Error(), "")
}

// checker walks a template and keeps the first thing that cannot work. It
// follows what the dot is: a nil type is one that it cannot know.
type checker struct {
	templates *template.Template
	root      reflect.Type // what $ is
	err       error
}

func (c *checker) list(l *parse.ListNode, dot reflect.Type) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		c.node(n, dot)
	}
}

func (c *checker) node(n parse.Node, dot reflect.Type) {
	switch n := n.(type) {
	case *parse.ActionNode:
		c.pipe(n.Pipe, dot)
	case *parse.IfNode:
		c.pipe(n.Pipe, dot)
		c.list(n.List, dot)
		c.list(n.ElseList, dot)
	case *parse.WithNode:
		c.list(n.List, c.pipe(n.Pipe, dot))
		c.list(n.ElseList, dot)
	case *parse.RangeNode:
		c.pipe(n.Pipe, dot)
		c.list(n.List, nil)
		c.list(n.ElseList, dot)
	case *parse.TemplateNode:
		c.pipe(n.Pipe, dot)
		if c.templates.Lookup(n.Name) == nil {
			c.fail(fmt.Errorf("no template %q", n.Name))
		}
	}
}

// pipe is the type of p's value where it is a field or the dot alone.
func (c *checker) pipe(p *parse.PipeNode, dot reflect.Type) reflect.Type {
	if p == nil {
		return nil
	}
	var t reflect.Type
	for _, cmd := range p.Cmds {
		for _, arg := range cmd.Args {
			t = c.arg(arg, dot)
		}
		if len(cmd.Args) != 1 {
			t = nil
		}
	}
	return t
}

func (c *checker) arg(n parse.Node, dot reflect.Type) reflect.Type {
	switch n := n.(type) {
	case *parse.DotNode:
		return dot
	case *parse.FieldNode:
		return c.fields(dot, n.Ident)
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			return c.fields(c.root, n.Ident[1:])
		}
	case *parse.ChainNode:
		return c.fields(c.arg(n.Node, dot), n.Field)
	case *parse.PipeNode:
		return c.pipe(n, dot)
	}
	return nil
}

// fields follows names from t, each a field or a method.
func (c *checker) fields(t reflect.Type, names []string) reflect.Type {
	for _, name := range names {
		if t == nil {
			return nil
		}
		if m, ok := t.MethodByName(name); ok {
			if m.Type.NumOut() == 0 || m.Type.Out(0) != reflect.TypeFor[Date]() {
				return nil // its result may be anything
			}
			t = m.Type.Out(0)
			continue
		}
		if t.Kind() != reflect.Struct {
			c.fail(&fieldError{"." + name, "this is text or a number, which has no fields"})
			return nil
		}
		f, ok := t.FieldByName(name)
		if !ok || !f.IsExported() {
			c.fail(&fieldError{"." + name, fieldHint("."+name, t)})
			return nil
		}
		t = f.Type
	}
	return t
}

func (c *checker) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// fieldsOf are the fields of a struct as templates name them, in order, and the
// methods that are as good.
func fieldsOf(t reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() {
			names = append(names, "."+f.Name)
		}
	}
	for i := range t.NumMethod() {
		names = append(names, "."+t.Method(i).Name)
	}
	return names
}

func fieldHint(name string, t reflect.Type) string {
	if t == reflect.TypeFor[Date]() {
		return `this is a date: {{.Date.Format "2006-01-02"}}`
	}
	known := map[string]bool{}
	for _, f := range fieldsOf(t) {
		known[f] = true
	}
	_, hint := suggest(name, known)
	return hint
}
