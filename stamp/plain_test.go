package stamp

import (
	"errors"
	"testing"
)

func TestMatchOverSeveralLines(t *testing.T) {
	t.Parallel()
	tests := []struct{ match, value, in, want string }{
		{`(?s)start\n(.*?)\nend`, "three", "start\none\ntwo\nend\n", "start\nthree\nend\n"},
		{`(?s)start\n(.*?)\nend`, "three", "start\r\none\r\ntwo\r\nend\r\n", "start\r\nthree\r\nend\r\n"},
		{`(?s)start\n(.*?)end`, "three\n", "start\r\none\r\nend\r\n", "start\r\nthree\nend\r\n"},
		{`a(\n)b`, "\n\n", "a\r\nb", ""}, // no longer found
		{`a(\n+)b`, "\n\n", "a\r\nb", "a\n\nb"},
		{`x: (\w+(?:\n-)?)`, "new\n-", "x: old\r\n", "x: new\n-\r\n"},
		{`(?m)^(.*)$`, "new", "\xef\xbb\xbfold\r", "\xef\xbb\xbfnew"}, // no CRLF
		{`\A(.*)\z`, "new", "\xef\xbb\xbf", "\xef\xbb\xbfnew"},
		{`\r(.*)`, "new", "a\rb\r\n", "a\rnew\r\n"},
		{`\r([^\r]+)`, "new", "a\rb\r\n", ""},
		{`a\r([^\r]+)`, "new", "a\rb\r\n", "a\rnew\r\n"},
	}
	for _, tt := range tests {
		target := Target{File: "a", Match: tt.match, Value: tt.value, Newlines: true}
		out, _, err := target.Edit([]byte(tt.in))
		if string(out) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("Edit(%q) with %q by %s = %q, %v, want %q", tt.in, tt.value, tt.match, out, err, tt.want)
			continue
		}
		if err == nil {
			if again, changes, err := target.Edit(out); err != nil || len(changes) > 0 {
				t.Errorf("Edit(%q) again = %q, %v, %v", out, again, changes, err)
			}
		}
	}
}

func TestWholeFileRefusesUTF16(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"\xff\xfe4\x001\x00", "\xfe\xff\x004\x001"} {
		_, _, err := Target{File: "VERSION", Format: "plain", Value: "42"}.Edit([]byte(in))
		var e *Error
		if !errors.As(err, &e) || e.Kind != ParseError {
			t.Errorf("Edit(%q): %v, want %s", in, err, ParseError)
		}
	}
}
