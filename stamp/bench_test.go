package stamp

import (
	"fmt"
	"strings"
	"testing"
)

// sections are texts of about a megabyte, by format: many small sections, as
// in a large configuration. The key is that of section 4000.
var sections = map[string]struct {
	head    string
	section string // with %[1]d for its number
	tail    string
	key     string
}{
	"php":        {"<?php\n", "$config['section%[1]d']['rev'] = 'value %[1]d'; // a comment\n$config['section%[1]d']['list'] = ['a', 2, \"c\"];\n", "", "$config['section4000']['rev']"},
	"yaml":       {"", "section%[1]d:\n  name: value %[1]d # a comment\n  list: [a, 2, \"c\"]\n  rev: 'value %[1]d'\n", "", "section4000.rev"},
	"json":       {"{", "\n  \"section%[1]d\": {\n    \"list\": [\"a\", 2, \"c\"],\n    \"rev\": \"value %[1]d\"\n  },", "\"last\": null}\n", "section4000.rev"},
	"jsonc":      {"{", "\n  // a comment\n  \"section%[1]d\": {\n    \"list\": [\"a\", 2, \"c\"],\n    \"rev\": \"value %[1]d\"\n  },", "}\n", "section4000.rev"},
	"toml":       {"", "[section%[1]d]\nname = 'value %[1]d' # a comment\nlist = [\"a\", 2]\nrev = \"value %[1]d\"\n\n", "", "section4000.rev"},
	"ini":        {"", "[section%[1]d]\n; a comment\nname = value %[1]d\nrev = value %[1]d\n\n", "", "section4000.rev"},
	"properties": {"", "# a comment\nsection%[1]d.name = value %[1]d\nsection%[1]d.rev=value %[1]d\n", "", "section4000.rev"},
	"env":        {"", "# a comment\nSECTION_%[1]d_NAME=\"value %[1]d\"\nexport SECTION_%[1]d_REV=value-%[1]d\n", "", "SECTION_4000_REV"},
	"js":         {"const config = {\n", "  // a comment\n  section%[1]d: { list: ['a', 2, \"c\"], rev: 'value %[1]d' },\n", "};\n", "config.section4000.rev"},
	"ts":         {"const config: Config = {\n", "  // a comment\n  section%[1]d: { list: ['a', 2, \"c\"], rev: 'value %[1]d' },\n", "};\n", "config.section4000.rev"},
	"python":     {"CONFIG = {\n", "    # a comment\n    'section%[1]d': {'list': ['a', 2, \"c\"], 'rev': 'value %[1]d'},\n", "}\n", "CONFIG['section4000']['rev']"},
	"ruby":       {"CONFIG = {\n", "  # a comment\n  section%[1]d: { list: ['a', 2, \"c\"], rev: 'value %[1]d' },\n", "}\n", "CONFIG[:section4000][:rev]"},
	"xml":        {"<config>\n", "  <!-- a comment -->\n  <section%[1]d name=\"n\"><list>a</list><rev>value %[1]d</rev></section%[1]d>\n", "</config>\n", "/config/section4000/rev"},
	"c":          {"", "/* a comment */\n#define SECTION_%[1]d_REV \"value %[1]d\"\nstatic const char name_%[1]d[] = \"value\";\n", "", "SECTION_4000_REV"},
}

// BenchmarkEdit stamps one key of a megabyte in memory: it is found, replaced,
// found again, and all else compared.
func BenchmarkEdit(b *testing.B) {
	for _, f := range formats {
		b.Run(f.name, func(b *testing.B) {
			s, ok := sections[f.name]
			if !ok {
				b.Fatal("no text of this format")
			}
			var text strings.Builder
			text.WriteString(s.head)
			for i := 0; text.Len() < 1<<20; i++ {
				fmt.Fprintf(&text, s.section, i)
			}
			text.WriteString(s.tail)
			src := []byte(text.String())
			target := Target{File: "f", Format: f.name, Key: s.key, Value: "stamped"}
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, changes, err := target.Edit(src); err != nil || len(changes) != 1 {
					b.Fatalf("%v, %v", changes, err)
				}
			}
		})
	}
}
