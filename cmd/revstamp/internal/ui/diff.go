package ui

import "strings"

// Diff writes a unified diff to standard output, coloured where that is a
// terminal. With JSON it writes nothing: there the diff is part of the result.
func (u *UI) Diff(unified []byte) error {
	if u.o.JSON {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return errClosed
	}
	return u.view.result(result{text: unified, diff: true})
}

func colourDiff(s style, text string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		body := strings.TrimSuffix(l, "\n")
		b.WriteString(s.in(diffColour(body), body))
		b.WriteString(l[len(body):])
	}
	return b.String()
}

func diffColour(l string) colour {
	switch {
	case strings.HasPrefix(l, "+++ "), strings.HasPrefix(l, "--- "), strings.HasPrefix(l, "diff "):
		return bold
	case strings.HasPrefix(l, "@@"):
		return cyan
	case strings.HasPrefix(l, "+"):
		return green
	case strings.HasPrefix(l, "-"):
		return red
	}
	return ""
}
