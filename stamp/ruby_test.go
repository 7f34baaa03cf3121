package stamp

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"revstamp/testdata/need"
)

var rbKindNames = map[rbKind]string{
	rbNewline: "newline", rbName: "name", rbConst: "name", rbKeyword: "name", rbVariable: "variable", rbLabel: "label", rbQuotedLabel: "label",
	rbSymbol: "symbol", rbQuotedSymbol: "symbol", rbNumber: "number", rbString: "string", rbInterp: "string", rbPercent: "string",
	rbWords: "words", rbChar: "char", rbRegexp: "regexp", rbShell: "shell", rbHeredoc: "heredoc", rbOp: "op",
	rbComment: "comment", rbBody: "body", rbData: "data",
}

// rbReading is what testdata/ruby/read.rb says of a source.
type rbReading struct {
	Tokens [][]any // kind, start, end
	Keys   [][]any // key, start, end, kind, text (base64), refused
}

func (r rbReading) tokens() []string {
	var lines []string
	for _, t := range r.Tokens {
		lines = append(lines, fmt.Sprint(t...))
	}
	return lines
}

// keys returns them sorted: it is not said where those are that are refused.
func (r rbReading) keys() []string {
	var lines []string
	for _, k := range r.Keys {
		lines = append(lines, fmt.Sprint(k...))
	}
	slices.Sort(lines)
	return lines
}

// rbRead returns what we say of a source, in the same form. A line end behind a
// comment is not told apart there.
func rbRead(src string) (r rbReading, err error) {
	l, err := lexRuby(src)
	if err != nil {
		return r, err
	}
	all := append(slices.Clone(l.tokens), l.others...)
	slices.SortStableFunc(all, func(a, b rbToken) int { return int(a.start - b.start) })
	for i, t := range all {
		kind := rbKindNames[t.kind]
		switch {
		case t.kind == rbNewline && i > 0 && all[i-1].kind == rbComment:
			continue
		case t.kind == rbInterp && src[t.end-1] == ':':
			kind = "label"
		case t.kind == rbInterp && src[t.start] == ':':
			kind = "symbol"
		}
		r.Tokens = append(r.Tokens, []any{kind, t.start, t.end})
	}
	found, err := collect(ruby{}, src)
	for _, f := range found {
		if f.refused != "" {
			r.Keys = append(r.Keys, []any{f.key, nil, nil, "", "", f.refused})
		} else {
			r.Keys = append(r.Keys, []any{f.key, f.start, f.end, f.kind, base64.StdEncoding.EncodeToString([]byte(f.text)), ""})
		}
	}
	return r, err
}

func readRuby(t *testing.T, all []source) []*rbReading {
	t.Helper()
	readings := make([]*rbReading, len(all))
	ask(t, all, func(i int) any { return &readings[i] }, "ruby", "-W0", "testdata/ruby/read.rb")
	return readings
}

// compareRuby compares tokens and keys with those that Ruby finds. Ruby reads
// what is counted as refused, and we do not.
func compareRuby(t *testing.T, all []source) (compared, refused, keys int) {
	t.Helper()
	for i, want := range readRuby(t, all) {
		if want == nil {
			continue // what does not parse may be refused or not
		}
		got, err := rbRead(string(all[i].text))
		if err != nil {
			t.Logf("%s: %v", all[i].name, err)
			refused++
			continue
		}
		compared++
		keys += len(got.Keys)
		if diff := cmp.Diff(want.tokens(), got.tokens()); diff != "" {
			t.Errorf("%s: tokens (-ruby +ours):\n%.600s", all[i].name, diff)
		}
		if diff := cmp.Diff(want.keys(), got.keys()); diff != "" {
			t.Errorf("%s: keys (-ruby +ours):\n%.600s", all[i].name, diff)
		}
	}
	return compared, refused, keys
}

func rbSources(t *testing.T) []source {
	t.Helper()
	return sources(t, "ruby", append(need.Corpus(t, "redmine", "ruby-activerecord"), "/usr/lib/ruby", "/usr/share/rubygems-integration")...)
}

func TestRubyCorpus(t *testing.T) {
	t.Parallel()
	all := rbSources(t)
	compared, refused, keys := compareRuby(t, every(4, all))
	t.Logf("%d of %d files and %d keys compared, %d refused", compared, len(all), keys, refused)
	if compared < 600 || refused > compared/100 {
		t.Error("too few files can be compared")
	}
}

// TestRubyPieces compares on sources put together at random from what is hard.
// In the lists \x00 stands for the bar that separates them, and ~ for a value.
func TestRubyPieces(t *testing.T) {
	t.Parallel()
	pieces := strings.Split("a |A|@a|$a|$/|x|foo |.b|&.c|::D|[:k]|['k']|'|\"|`|/|/|%|%w[|%q(|?a |?|: |:s|:\"s\"|a: |\"l\": |<<A|<<~'B'|<<-C|\n|\n|\nA\n|\n B\n|\n C\n| | |#|#{|#@a|}|{ |{|(|)|[|]|"+
		"|x| |do |end |if |unless |while |until |for |in |case |when |then |else |begin |rescue |=> e|ensure |def m |def self.m(a, b = 1) |class K\n|module M\n|-> |->(z) |return |not |and |or |"+
		"= |== |=~ |+= |`|| = |- |-1 |1 |1.5 |* |& |! |, |; |... |\\\n|\n=begin\n|\n=end\n|\n__END__\n|alias a b\n|défi|self.|yield |1if |p ", "|")
	starts := strings.Split("A = |A = |A = |a = |a.b = |a.b.c[:d] = |S[:a]['b'][-1] = |set :a, |set(:b, ~)|A \x00\x00= |a, (b, *c.d) = |A = B = |class C < D\n  E = ~\nend|module F::G; H = ~; end|module I\n class J\nK = ~\nend\nend|"+
		"def m; a = ~;end|def m(b = ~); end|def m(b) = ~|class << self; L = ~\nend|a do \x00b\x00 c = ~ end|a { \x00b, *d\x00 c = ~ }|x if M = |if x then N = ~ else O = ~ end|begin; O = ~; end|begin\nrescue => e\nP = ~\nelse Q = ~\nend|case x\nwhen 1 then Q = ~ end|"+
		"@r = |@@s = |$t = |::U = |V::W = |self.x = |-> (y) { z = ~ }|a += |puts(A = ~)|while x do a = ~ end|until x; a = ~ end|for i in x; a = ~\nend|A=|A={ 'a' => ~ }|A = { a: ~, \"b\": ~ }|A = [~, ~]|A = [\n~,\n]|set :c, [~].freeze|A = (~)|A = x ? ~ : ~", "|")
	values := strings.Split("'x'|'x'|\"y\\n\\u00e9\"|'it\\'s'|\"\\x41\\101\"|\"#{a}\"|\"#\"|%q(z)|%w[a b]|%i[a b]|:s|:\"s t\"|1|-1|- 1|1.5|0x1f|1r|017|true|false|nil|?a|`ls`|/x/|<<A.b\nb\nA\n|'a' 'b'|'x'.freeze|'x'.freeze|\"y\".freeze|x.b|"+
		"[]|['a', :b]|[*d, 'e']|{}|{ 'k' => 'v', :k => 1, k: nil, \"l\": 'm', 1 => 2, -1 => 3, **d }|'a', 'b'|foo 1|foo(1)|-> { }|->(a, b) { }|'x' if x|'x' unless y|'x' and z|'x' rescue z|'x' # c\n|a ? b : c|x do \x00b\x00 e = 'f' end|(y)|'é'|'x' \\\n|'x' =~ /y/|x /2|x / 2|'x' + y|'x' % y|x ?a : b|x[1]|x [1]|x << 'y'|'%s' % [x]", "|")
	rng := rand.New(rand.NewPCG(1, 2))
	var all []source
	add := func(src string, pieces []string, most int, end string) {
		for range rng.IntN(most) {
			src += pieces[rng.IntN(len(pieces))]
		}
		src += end
		all = append(all, source{fmt.Sprintf("%d %q", len(all), src), []byte(src)})
	}
	for range 3000 {
		add("", pieces, 9, "")
	}
	for range 8000 {
		src := strings.ReplaceAll(starts[rng.IntN(len(starts))], "\x00", "|")
		if !strings.Contains(src, "~") {
			src += "~"
		}
		for strings.Contains(src, "~") {
			value := values[rng.IntN(len(values))]
			if rng.IntN(3) == 0 {
				value += values[rng.IntN(len(values))]
			}
			src = strings.Replace(src, "~", strings.ReplaceAll(value, "\x00", "|"), 1)
		}
		add(src, []string{"", "", "\n", " # c", ";a = 'b'", " if x"}, 2, "")
	}
	compared, refused, keys := compareRuby(t, all)
	t.Logf("%d of %d sources and %d keys compared, %d refused", compared, len(all), keys, refused)
	if compared < 4000 || keys < 4000 || refused > compared/50 {
		t.Error("too few of them can be compared")
	}
}

// A key that List counts once means one value, whatever modules are in the file.
func TestRubyKeysMeanOne(t *testing.T) {
	t.Parallel()
	src := []byte("REV = 'a'\nmodule M\n  REV = 'b'\n  B::REV = 'c'\n  class C; REV = ['d']; x = 1 end\nend\nB::REV = 'e'\nset :rev, 'f'\nclass D; set :rev, 'g' end\nx = 2\n")
	entries, err := List("a.rb", "", src)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, e := range entries {
		keys = append(keys, e.Key)
		values, err := Target{File: "a.rb", Key: e.Key}.Find(src)
		if e.Refused == "" && (err != nil || len(values) != 1 || values[0].Line != e.Line || values[0].Column != e.Column) {
			t.Errorf("Find(%s) = %v, %v, want one at %d:%d", e.Key, values, err, e.Line, e.Column)
		}
	}
	want := []string{"::REV", "M::REV", "M::B::REV", "M::C::REV", "M::C::REV[0]", "M::C::x", "::B::REV", "D:::rev", ":::rev", "::x"}
	slices.Sort(keys)
	slices.Sort(want)
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
}

// loadRuby returns what is in $got when Ruby has loaded each source.
func loadRuby(t *testing.T, all []source) []string {
	t.Helper()
	answers := make([][2]string, len(all))
	ask(t, all, func(i int) any { return &answers[i] }, "ruby", "-W0", "testdata/ruby/load.rb")
	var got []string
	for _, a := range answers {
		text, err := base64.StdEncoding.DecodeString(a[1])
		if err != nil {
			t.Fatal(err)
		}
		if a[0] != "String" {
			text = append([]byte(a[0]+" "), text...)
		}
		got = append(got, string(text))
	}
	return got
}

func TestValuesInRuby(t *testing.T) {
	t.Parallel()
	values := append([]string{"a\nb", "\n", "\\\n'\"#{x}", "#$x", "#@x", `#{system("id")}`, `\#{x}`, `#`, `\u{41}`, "#\n"}, nasty...)
	forms := map[string][2]string{
		"single": {"rev", "rev = 'x'\n$got = rev\n"}, "double": {"REV", "REV = \"x\".freeze # c\n$got = REV\n"}, "frozen": {"M::C::REV", "module M\n  class C; REV='x'.freeze\nend end\n$got = M::C::REV"},
		"set": {":rev", "set :rev, 'x' if true\n$got = $set[:rev]\n"}, "set()": {":rev", "set(:rev, \"x\")\r\n$got = $set[:rev]\r\n"},
		"attribute": {"c.x.rev", "c = OpenStruct.new(x: OpenStruct.new)\nc.x.rev = 'x'; $got = c.x.rev\n"},
		"hash":      {"S[:a][:rev]", "S = { a: { rev: 'x', b: 1 } }.freeze\n$got = S[:a][:rev]\n"},
		"rocket":    {"S['rev']", "S={'rev'=>\"x\"}\n$got = S['rev']\n"}, "array": {"S[1]", "S = [\n 'a', 'x'\n]\n$got = S[1]\n"}, "subscript": {"s[:a]", "s = {}\ns[:a]='x'\n$got = s[:a]"},
		"Latin-1": {"$rev", "# encoding: iso-8859-1\n# \xe9\n$rev = 'x'\n$got = $rev\n"}, "binary": {"@rev", "#!/usr/bin/ruby\n# -*- coding: ascii-8bit -*-\n@rev = \"x\"\n$got = @rev\n"}, "BOM": {"rev", "\ufeffrev = 'x'\n$got = rev\n"},
	}
	for form, f := range forms {
		values := slices.Clone(values)
		if !strings.Contains(f[1], "coding:") {
			values = append(values, bytesOnly...)
		}
		var all []source
		for _, value := range values {
			target := Target{File: "f.rb", Key: f[0], Value: value, Newlines: true}
			out, _, err := target.Edit([]byte(f[1]))
			if err != nil {
				t.Fatalf("%s: Edit(%q): %v", form, value, err)
			}
			all = append(all, source{value, out})
		}
		compareValues(t, "ruby, "+form, loadRuby(t, all), values)
	}
}

// TestRubyCorpusKeys has Ruby read the whole stamped files and tell what has the
// key there.
func TestRubyCorpusKeys(t *testing.T) {
	t.Parallel()
	testCorpusKeys(t, "ruby", rbSources(t), 1000, func(t *testing.T, all []stamped) []string {
		var files []source
		for _, s := range all {
			files = append(files, s.source)
		}
		var got []string
		for i, reading := range readRuby(t, files) {
			value := "nothing"
			if reading == nil {
				reading = &rbReading{}
			}
			for _, k := range reading.Keys {
				if k[0] == all[i].key && k[1] == float64(all[i].start) && k[2] == float64(all[i].end) && k[3] == "string" {
					text, err := base64.StdEncoding.DecodeString(k[4].(string))
					if err != nil {
						t.Fatal(err)
					}
					value = string(text)
				}
			}
			got = append(got, value)
		}
		return got
	})
}
