package ui

import (
	"fmt"
	"strings"
	"time"
)

// marks are the signs before lines.
type marks struct {
	utf8                           bool
	ok, bad, skip, warn, ask, work string
}

// marksFor are signs that the locale can show.
func marksFor(env func(string) string) marks {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := env(name); v != "" {
			v = strings.ToLower(v)
			if strings.Contains(v, "utf-8") || strings.Contains(v, "utf8") {
				return marks{true, "✔", "✖", "–", "!", "?", "·"}
			}
			break
		}
	}
	return marks{false, "+", "x", "-", "!", "?", "."}
}

// of is the mark of a step's or job's state.
func (m marks) of(state string) string {
	switch state {
	case done, "succeeded":
		return m.ok
	case failed, "lost":
		return m.bad
	case skipped:
		return m.skip
	case "unknown":
		return m.ask
	}
	return m.work
}

// The colours, as parameters of the escape sequence SGR (ECMA-48, 8.3.117).
type colour string

const (
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
	bold   colour = "1"
	faint  colour = "2"
)

// style colours text, or does not.
type style struct{ colours bool }

// styleFor obeys NO_COLOR (no-color.org), CLICOLOR_FORCE and TERM=dumb.
func styleFor(env func(string) string, terminal bool) style {
	force := env("CLICOLOR_FORCE")
	switch {
	case env("NO_COLOR") != "":
		return style{false}
	case force != "" && force != "0":
		return style{true}
	}
	return style{terminal && env("TERM") != "dumb"}
}

func (s style) in(c colour, text string) string {
	if !s.colours || c == "" || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// state colours text by a step's or job's state.
func (s style) state(state, text string) string {
	switch state {
	case done, "succeeded":
		return s.in(green, text)
	case failed, "lost":
		return s.in(red, text)
	case "unknown":
		return s.in(yellow, text)
	}
	return s.in(faint, text)
}

// span is d as people read it: 12ms, 1.2s, 12s, 2m03s, 1h02m.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}
