package config

import "testing"

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"key", "key", 0},
		{"kye", "key", 1},
		{"fiel", "file", 1},
		{"stamp", "stamps", 1},
		{"comand", "command", 1},
		{"value", "valve", 1},
		{"funktion", "function", 1},
		{"kitten", "sitting", 3},
		{"ca", "abc", 3}, // no edit inside an exchange: optimal string alignment
		{"grün", "grun", 1},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
		if got := distance(test.b, test.a); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.b, test.a, got, test.want)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"assets", "backups", "jobs", "key", "site", "source", "stamp", "state"}
	for word, want := range map[string]string{
		"stamps": "stamp", "Stamp": "stamp", "statte": "state", "asset": "assets", "bakcups": "backups",
		"kye": "key", "job": "jobs", "sitte": "site",
		"x": "", "color": "", "repository": "", "": "", "ab": "",
	} {
		if got := nearest(word, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
