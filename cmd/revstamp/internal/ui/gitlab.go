package ui

import (
	"fmt"
	"strings"
	"time"
)

// gitlabLog writes the collapsible sections of GitLab CI job logs
// (docs.gitlab.com, "Custom collapsible sections").
type gitlabLog struct{}

func (gitlabLog) start(step string, at time.Time) string {
	return fmt.Sprintf("\x1b[0Ksection_start:%d:%s\r\x1b[0K%s\n", at.Unix(), sectionName(step), step)
}

func (gitlabLog) end(step string, at time.Time) string {
	return fmt.Sprintf("\x1b[0Ksection_end:%d:%s\r\x1b[0K\n", at.Unix(), sectionName(step))
}

func (gitlabLog) problem(string, problem) (string, bool) { return "", false }

// sectionName is step in the letters that a section's name may have.
func sectionName(step string) string {
	return "revstamp_" + identifier(step)
}

// identifier is name in the letters that CI systems allow in one.
func identifier(name string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x80 && (c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return c
		}
		return '_'
	}, name)
}
