package ui

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// githubLog writes the workflow commands of GitHub Actions
// (docs.github.com, "Workflow commands for GitHub Actions").
type githubLog struct {
	workspace string // GITHUB_WORKSPACE
}

func (g *githubLog) start(step string, _ time.Time) string {
	return "::group::" + step + "\n"
}

func (g *githubLog) end(string, time.Time) string { return "::endgroup::\n" }

func (g *githubLog) problem(level string, p problem) (string, bool) {
	var at []string
	if p.file != "" {
		at = append(at, "file="+githubProperty(g.relative(p.file)))
		if p.line > 0 {
			at = append(at, fmt.Sprintf("line=%d", p.line))
		}
		if p.column > 0 {
			at = append(at, fmt.Sprintf("col=%d", p.column))
		}
	}
	command := level
	if at != nil {
		command += " " + strings.Join(at, ",")
	}
	return "::" + command + "::" + githubData(strings.TrimRight(p.message, "\n")) + "\n", true
}

// relative is file as the repository knows it, which annotations need.
func (g *githubLog) relative(file string) string {
	if g.workspace != "" && filepath.IsAbs(file) {
		if rel, err := filepath.Rel(g.workspace, file); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return file
}

var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// githubData and githubProperty escape as @actions/core does.
func githubData(s string) string     { return dataEscapes.Replace(s) }
func githubProperty(s string) string { return propertyEscapes.Replace(s) }
