package config

import (
	"maps"
	"slices"
	"strings"
)

// suggest is the one of known that was meant by word, "" when that is not
// clear, and a hint that says so.
func suggest[V any](word string, known map[string]V) (near, hint string) {
	words := slices.Sorted(maps.Keys(known))
	if near = nearest(word, words); near != "" {
		return near, "did you mean " + near + "?"
	}
	return "", "known here: " + strings.Join(words, ", ")
}

// nearest is the one of words that is most like word, or "" when none is much
// like it. Case does not matter. Of equals the first is taken.
func nearest(word string, words []string) string {
	best, limit := "", max(1, (len(word)+1)/3)
	for _, w := range words {
		d := distance(strings.ToLower(word), strings.ToLower(w))
		if d <= limit && d < max(len(word), len(w)) {
			best, limit = w, d-1
		}
	}
	return best
}

// distance counts the edits between a and b: characters inserted, removed,
// replaced, or exchanged with their neighbour (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last := make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := range s {
		row := make([]int, len(t)+1)
		row[0] = i + 1
		for j := range t {
			change := last[j]
			if s[i] != t[j] {
				change++
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, change)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(t)]
}
