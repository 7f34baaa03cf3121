package main

import "strings"

// shellQuoted is one word to a shell, whatever s holds.
func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

var plainWord = lazily(`^[A-Za-z0-9_./:=@%+,-]+$`)

// shellWords is a command as a person would type it.
func shellWords(words []string) string {
	typed := make([]string, len(words))
	for i, w := range words {
		if typed[i] = w; !plainWord().MatchString(w) {
			typed[i] = shellQuoted(w)
		}
	}
	return strings.Join(typed, " ")
}
