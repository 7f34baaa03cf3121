package stamp

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
	"revstamp/testdata/need"
)

// tomlValues returns what scan found as lines, sorted, with one spelling of
// equal numbers and dates.
func tomlValues(all []literal) []string {
	lines := []string{` a table ""`} // the file
	for _, l := range all {
		lines = append(lines, fmt.Sprintf("%s %s %q", l.key, l.kind+l.refused, tomlText(l.kind, l.text)))
		if l.refused == severalLines {
			lines[len(lines)-1] = fmt.Sprintf("%s string %q", l.key, l.text)
		}
	}
	slices.Sort(lines)
	return lines
}

func tomlText(kind, text string) string {
	switch kind {
	case "int":
		n, _ := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 0, 64)
		return strconv.FormatInt(n, 10)
	case "float":
		if strings.HasSuffix(text, "nan") {
			return "nan"
		}
		f, _ := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		return floatBits(f)
	case "datetime", "local-datetime", "time":
		return tomlClockText(strings.ToUpper(text))
	}
	return text
}

func floatBits(f float64) string {
	if math.IsNaN(f) {
		return "nan"
	}
	return fmt.Sprintf("%016x", math.Float64bits(f))
}

// tomlClockText writes a time with seconds, microseconds and offset.
func tomlClockText(text string) string {
	date, clock := "", text
	if len(text) > 10 && text[4] == '-' {
		date, clock = text[:10]+"T", text[11:]
	}
	offset := ""
	if i := strings.IndexAny(clock, "Z+-"); i >= 0 {
		clock, offset = clock[:i], clock[i:]
	}
	if offset == "Z" || offset == "-00:00" {
		offset = "+00:00"
	}
	if len(clock) == 5 {
		clock += ":00"
	}
	clock, fraction, _ := strings.Cut(clock, ".")
	return date + clock + "." + (fraction + "000000")[:6] + offset
}

// readTOML returns what go-toml finds, as tomlValues does.
func readTOML(src string) ([]string, error) {
	var root map[string]any
	if err := toml.Unmarshal([]byte(src), &root); err != nil {
		return nil, err
	}
	var lines []string
	var value func(p path, v any)
	value = func(p path, v any) {
		add := func(kind, text string) { lines = append(lines, fmt.Sprintf("%s %s %q", p, kind, text)) }
		const micro = "2006-01-02T15:04:05.000000"
		switch v := v.(type) {
		case map[string]any:
			add("a table", "")
			for name, v := range v {
				value(p.key(name), v)
			}
		case []any:
			add("an array", "")
			for i, v := range v {
				value(p.index(i), v)
			}
		case string:
			add("string", v)
		case int64:
			add("int", strconv.FormatInt(v, 10))
		case float64:
			add("float", floatBits(v))
		case bool:
			add("bool", strconv.FormatBool(v))
		case time.Time:
			add("datetime", v.Format(micro+"-07:00"))
		case toml.LocalDateTime:
			add("local-datetime", v.AsTime(time.UTC).Format(micro))
		case toml.LocalDate:
			add("date", v.String())
		case toml.LocalTime:
			add("time", fmt.Sprintf("%02d:%02d:%02d.%06d", v.Hour, v.Minute, v.Second, v.Nanosecond/1000))
		default:
			add(fmt.Sprintf("%T", v), "")
		}
	}
	value("", root)
	slices.Sort(lines)
	return lines, nil
}

// compareTOML reports whether src is TOML to us and to go-toml, who must agree.
func compareTOML(t *testing.T, src string) bool {
	t.Helper()
	all, err := collect(tomlLang{}, src)
	want, wantErr := readTOML(src)
	switch {
	case err == nil && wantErr != nil && strings.Contains(wantErr.Error(), "unable to parse float"): // 1e999
	case (err == nil) != (wantErr == nil):
		t.Errorf("%q: error %v, go-toml %v", src, err, wantErr)
	case err == nil:
		// go-toml leaves the line ends in a string as they are.
		got := strings.ReplaceAll(strings.Join(tomlValues(all), "\n"), `\r\n`, `\n`)
		want := strings.ReplaceAll(strings.Join(want, "\n"), `\r\n`, `\n`)
		if got != want {
			t.Errorf("%q (-go-toml +ours):\n%s", src, cmp.Diff(want, got))
		}
	}
	return err == nil
}

var tomlPieces = slices.Concat(
	strings.Split("a b a.b a.b.c b.a \"a\" 'a' \"a.b\" \"\" a- 1 1.2 é . = [ ] [[ ]] { } {} [] , # #x [a] [b] [a.b] [a.b.c] [b.a] [[a]] [[b]] [[a.b]] [[a.b.c]] "+
		"true false True inf -inf +nan nan 0 -0 +0 00 01 1_0 1__0 _1 1_ 0x1F 0xg 0o17 0o8 0b01 0b2 0x_1 -0x1 9223372036854775807 9223372036854775808 -9223372036854775808 0xffffffffffffffff "+
		"1.5 1. .5 1e3 1E+3 1e-_3 1e0_3 1.e3 0.0 00.1 1_0.0_1 2026-01-02 2026-02-30 2026-1-2 12:30 12:30:45 12:30:60 24:00:00 12:30:45.678 12:30.5 12:30:45.1234567 "+
		"2026-01-02T03:04:05Z 2026-01-02t03:04:05z 2026-01-02T03:04:05+01:30 2026-01-02T03:04-00:00 2026-01-02T03:04:05.5 2026-01-02T03:04:05+24:00 0000-01-01 "+
		"'x' 'é' '\\' \"x\" \"\\n\\t\\\"\\\\\\b\\f\\r\" \"\\u00e9\" \"\\U0001F680\" \"\\ud800\" \"\\x41\" \"\\e\" \"\\q\" \"\\u12\" \"\"\" ''' \"\"\"x\"\"\" '''x''' '''it's''' \"\"\"\"x\"\"\"\" '''''x''''' \"\"\"\\\n\n\" \" ' \\ \x7f \x01", " "),
	[]string{" ", "\t", "\n", "\n", "\r\n", "\r", " = ", " = ", "a = ", "b = ", "c = 1\n", "a.b = ", "2026-01-02 03:04:05", "{a = 1}", "{a.b = 1, a.c = 2}", "{ a = 1 }\n", "[1, 2]", "\n[a]\n", "\n[[a]]\n", "\n[a.b]\n", "\n[a.c]\n", "\"\"\"a\nb\"\"\"", "\"\"\"\nb\\\n   \n c\"\"\"", "'''\r\nb\r\n'''"},
)

// TestTOMLOnPieces compares on texts put together at random from what is hard.
func TestTOMLOnPieces(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	valid := 0
	for range 60000 {
		var b strings.Builder
		piece := func() { b.WriteString(tomlPieces[rng.IntN(len(tomlPieces))]) }
		lines := rng.IntN(3)
		for i := range lines {
			fmt.Fprintf(&b, "k%d = ", i)
			piece()
			b.WriteString("\n")
		}
		for n := 1 + rng.IntN(9); lines == 0 && n > 0; n-- {
			piece()
		}
		if compareTOML(t, b.String()) {
			valid++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d texts were TOML", valid)
	if valid < 5000 {
		t.Error("too few of them")
	}
}

// TestTOMLTables compares on texts that define tables again and again.
func TestTOMLTables(t *testing.T) {
	t.Parallel()
	lines := strings.Split("[a]|[a.b]|[a.b.c]|[b]|[[a]]|[[a.b]]|[[b]]|[b.a]|a = 1|b = 1|a.b = 1|a.b.c = 1|a.c = 1|b.c.d = 1|c.x = 1|a = {}|b = {c = 1}|b = []|a = {b.c = 1, b.d = 2}|b = [{c = 1}, {c = 2}]|a = {b = 1, b.c = 2}|"+
		"a = {b.c = 1, b = 2}|a = {b = {c = 1}, b.d = 2}", "|")
	rng := rand.New(rand.NewPCG(3, 4))
	valid := 0
	for range 40000 {
		var b strings.Builder
		for range 2 + rng.IntN(5) {
			b.WriteString(lines[rng.IntN(len(lines))] + "\n")
		}
		if compareTOML(t, b.String()) {
			valid++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d texts were TOML", valid)
	if valid < 5000 {
		t.Error("too few of them")
	}
}

func FuzzTOMLReading(f *testing.F) {
	for _, c := range goldenCases(f) {
		if got, _ := FormatOf(c.target.File); got == "toml" && c.in != nil {
			f.Add(string(c.in))
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) <= 4<<10 && utf8.ValidString(src) && !strings.HasPrefix(src, bom) {
			compareTOML(t, src)
		}
	})
}

// TestTOMLCorpus compares with Python, which reads TOML 1.0, and where one of
// us refuses a file alone, with go-toml too.
func TestTOMLCorpus(t *testing.T) {
	t.Parallel()
	all := sources(t, "toml", need.Corpus(t, "rust-src", "golang-github-burntsushi-toml-dev", "librust-toml-edit-dev", "golang-github-naoina-toml-dev")...)
	var read []source
	refused := 0
	for i, want := range pythonEverything(t, "toml", all) {
		text := strings.TrimPrefix(string(all[i].text), bom)
		if want != nil {
			read = append(read, all[i])
		} else {
			refused++
		}
		got, err := collect(tomlLang{}, text)
		if (err == nil) != (want != nil) {
			t.Logf("%s: error %v, Python has %d values", all[i].name, err, len(want))
			compareTOML(t, text)
			continue
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, tomlValues(got)); err == nil && diff != "" {
			t.Errorf("%s (-python +ours):\n%s", all[i].name, diff)
		}
	}
	t.Logf("%d files compared with Python, which refuses %d more", len(read), refused)
	if len(read) < 900 || refused < 200 {
		t.Error("too few files compared, or too few of those that are wrong on purpose")
	}
	testCorpusKeys(t, "toml", read, 1000, pythonValues("toml"))
}

func TestValuesInTOML(t *testing.T) {
	t.Parallel()
	values := append(multiline, nasty...)
	forms := map[string]string{
		"basic": "[[k]]\nrev = \"x\" # \"rev\"\n", "literal": "[[k]]\nrev = 'x'\n", "triple basic": "[[k]]\nrev = \"\"\"x\"\"\"\n", "triple literal": "[[k]]\nrev = '''x'''\n",
		"inline": "[[k]]\no = 'x'\na.\"b.c\" = [1, {rev = \"x\", d = 1}, 2]\n", "key": "[[k]]\n'rev' = '\\x'\n",
	}
	for form, line := range forms {
		key, at := "k[0].rev", []any{"rev"}
		if form == "inline" {
			key, at = `k[0].a."b.c"[1].rev`, []any{"a", "b.c", 1, "rev"}
		}
		src := stampAll(t, "toml", "# head\n", "[end]\n", values, func(int) string { return line }, func(int) string { return key })
		var jobs []pythonJob
		for i := range values {
			jobs = append(jobs, pythonJob{"toml", src, append([]any{"k", i}, at...)})
		}
		compareValues(t, "tomllib, "+form, stringAnswers(t, runPython(t, jobs)), values)
		var root map[string]any
		if err := toml.Unmarshal(src, &root); err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		var got []string
		for _, v := range root["k"].([]any) {
			for _, s := range at {
				if n, ok := s.(int); ok {
					v = v.([]any)[n]
				} else {
					v = v.(map[string]any)[s.(string)]
				}
			}
			got = append(got, v.(string))
		}
		compareValues(t, "go-toml, "+form, got, values)
	}
}
