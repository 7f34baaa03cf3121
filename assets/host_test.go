package assets

import "testing"

func TestHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"static.example.org", "static.example.org"},
		{"Static.Example.ORG:8080", "static.example.org:8080"},
		{"http://x/", "x"},
		{"HTTPS://x:81", "x:81"},
		{"//x/", "x"},
		{"bücher.example", "bücher.example"},
		{"[::1]:80", "[::1]:80"},
		{"https://[::1]/", "[::1]"},
		{"127.0.0.1", "127.0.0.1"},
	} {
		if got, err := Host(test.in); got != test.want || err != nil {
			t.Errorf("Host(%q) = %q, %v, want %q", test.in, got, err, test.want)
		}
	}
	for _, in := range []string{
		"", "/", "//", "http://", "http:///x", "x/y", "http://x/y", "x//", "a b", " x", "x\n", "user@x", "x?y", "x#y",
		"*.x", "x,y", "x:", "x:port", "x:99999", "::1", "[x]", "[::1", "[127.0.0.1]", "ftp://x", "http:x", "x%20y",
	} {
		if got, err := Host(in); err == nil {
			t.Errorf("Host(%q) = %q, want an error", in, got)
		}
	}
}
