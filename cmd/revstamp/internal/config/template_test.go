package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var data = Data{
	Revision: "3f0c9e2a7d51b84466f1c0aa92e7d3b5c8e41f07", Short: "3f0c9e2a7d51", System: "svn", number: 4168,
	Branch: `".system("id")."`, Tag: "", Describe: "v1.2-3-g3f0c9e2",
	Date: Date{time.Date(2026, 11, 23, 8, 5, 0, 0, time.FixedZone("", 3600))}, Site: "shop",
}

func TestExpand(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"fixed":                       "fixed",
		"{{.Revision}}":               "3f0c9e2a7d51b84466f1c0aa92e7d3b5c8e41f07",
		"r{{.Number}}":                "r4168",
		"{{.Site}}/{{.Short}}":        "shop/" + data.Short,
		"{{.Branch}}":                 `".system("id")."`,
		"{{.Date}}":                   "2026-11-23T07:05:00Z",
		`{{.Date.Format "20060102"}}`: "20261123",
		`{{(.Date).Year}}`:            "2026",
		"{{or .Tag .Short}}":          "3f0c9e2a7d51",
		"{{with .Tag}}{{.}}{{else}}{{$.Short}}{{end}}":      "3f0c9e2a7d51",
		"{{with .Date}}{{.Year}}{{end}}":                    "2026",
		"{{with $.Site}}{{.}}{{end}}":                       "shop",
		"{{if .Describe}}{{slice .Describe 0 4}}{{end}}":    "v1.2",
		`{{printf "%06d" .Number}}`:                         "004168",
		`{{define "a"}}{{.}}{{end}}{{template "a" .Short}}`: "3f0c9e2a7d51",
		`{{$x := .Short}}{{$x}}`:                            "3f0c9e2a7d51",
		`{{range $i := .Number}}{{break}}{{end}}`:           "",
	} {
		got, err := Expand(text, data)
		if err != nil || got != want {
			t.Errorf("Expand(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestExpandErrors(t *testing.T) {
	for text, want := range map[string]string{
		"{{.Revison}}":                        `no field ".Revison"`,
		"{{if .Tagg}}{{end}}":                 `no field ".Tagg"`,
		"{{if .Tag}}{{.Shrt}}{{end}}":         `no field ".Shrt"`,
		"{{if .Tag}}{{else}}{{.Shrt}}{{end}}": `no field ".Shrt"`,
		"{{range .Tag}}{{else}}{{.X}}{{end}}": `no field ".X"`,
		"{{with .Tag}}{{else}}{{.X}}{{end}}":  `no field ".X"`,
		"{{with .}}{{.X}}{{end}}":             `no field ".X"`,
		"{{printf `%s` (.X)}}":                `no field ".X"`,
		"{{(.Date).Yaer}}":                    `no field ".Yaer"`,
		"{{$.X}}":                             `no field ".X"`,
		"{{$x := .X}}":                        `no field ".X"`,
		"{{template `x`}}":                    `no template "x"`,
		"{{define `a`}}{{$.X}}{{end}}":        "",
		"{{.Revision":                         "unclosed action",
		"{{slice .Short 0 99}}":               "out of range",
		"{{nosuch}}":                          `function "nosuch" not defined`,
		"{{.Date.time}}":                      `no field ".time"`,
		"{{.Date.wall}}":                      `no field ".wall"`,
	} {
		_, err := Expand(text, data)
		if want == "" {
			if err != nil {
				t.Errorf("Expand(%q) = %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "template ") {
			t.Errorf("Expand(%q) = %v, want %q", text, err, want)
		}
	}
}

// A template that loads finds its fields: nothing is left to a release to
// discover but what depends on the revision itself.
func TestEveryFieldExpands(t *testing.T) {
	for _, field := range fieldsOf(reflect.TypeFor[Data]()) {
		if _, err := Expand("{{"+field+"}}", Data{System: "svn"}); err != nil {
			t.Errorf("%s of nothing: %v", field, err)
		}
	}
}

// lazy is data of which one part costs something.
type lazy struct {
	Short string
	count func() (int, error)
}

func (l lazy) Count() (int, error) { return l.count() }

// A method is called where the template comes to it, and nowhere else.
func TestExpandMethods(t *testing.T) {
	none, calls := errors.New("not known"), 0
	d := lazy{Short: "3f0c", count: func() (int, error) { calls++; return 7, nil }}
	for text, want := range map[string]string{
		"{{.Short}}": "3f0c", "{{if false}}{{.Count}}{{end}}": "", "{{.Count}}": "7",
		`{{define "a"}}{{.Count}}{{end}}{{template "a" .}}`: "7", "{{with $}}{{.Count}}{{end}}": "7",
	} {
		calls = 0
		got, err := Expand(text, d)
		if got != want || err != nil || (calls > 0) != (want == "7") {
			t.Errorf("Expand(%q) = %q, %v after %d calls", text, got, err, calls)
		}
	}
	d.count = func() (int, error) { return 0, none }
	if got, err := Expand("{{.Count}}", d); !errors.Is(err, none) || !strings.HasPrefix(err.Error(), "template ") {
		t.Errorf("Expand = %q, %v", got, err)
	}
	var unknown *fieldError
	if _, err := Expand("{{.Cont}}", d); !errors.As(err, &unknown) || unknown.Hint() != "did you mean .Count?" {
		t.Errorf("Expand of an unknown field: %v", err)
	}
}

// What has no number is not written as 0.
func TestExpandNoNumber(t *testing.T) {
	for _, d := range []Data{{System: "git"}, {System: "hg"}, {}} {
		for _, field := range []string{".Number", ".LastChanged"} {
			text := "{{printf `r%06d` " + field + "}}"
			got, err := Expand(text, d)
			var none *NoNumberError
			if !errors.As(err, &none) || none.Field != field || none.System != d.System {
				t.Errorf("Expand(%q) of %q = %q, %v", text, d.System, got, err)
			}
			if got, err = Expand("{{if eq .System `svn`}}{{"+field+"}}{{end}}", d); got != "" || err != nil {
				t.Errorf("Expand = %q, %v", got, err)
			}
		}
	}
}

func ExampleExpand() {
	text, err := Expand(`{{.Site}} at {{or .Tag .Short}}`, Data{Site: "shop", Short: "3f0c9e2a7d51"})
	fmt.Println(text, err)
	// Output: shop at 3f0c9e2a7d51 <nil>
}
