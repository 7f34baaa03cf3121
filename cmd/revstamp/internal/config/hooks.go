package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Hook is something of the user's that is done before or after a step. Exactly
// one of Command, Shell and PIDFile is set.
type Hook struct {
	Pos       Pos
	Before    string // the step; either this or After
	After     string
	Command   []string // program and arguments
	Shell     string   // a script for sh
	PIDFile   string   // whose process gets SIGUSR2; may be absolute
	Timeout   time.Duration
	OnFailure OnFailure
}

// OnFailure says what a hook, or a job, that fails does to the release.
type OnFailure string

// What it does.
const (
	Rollback OnFailure = "rollback" // the release is undone; the default of hooks
	Warn     OnFailure = "warn"     // it goes on: for jobs, their default, and hooks after activate
)

// Check asks the site, once it is activated, whether it works.
type Check struct {
	Pos    Pos
	URL    string
	Host   string        // of the request; "" is that of URL
	Status int           // 200 by default
	Text   string        // template of what the answer must hold; "" is anything
	Within time.Duration // how long it is asked again; 30 seconds by default
}

// hookSteps are the steps that hooks can be before or after, by layout.
var hookSteps = map[Layout][]string{
	InPlace:  {"backup", "update", "revision", "stamp", "assets", "activate"},
	Releases: {"update", "revision", "build", "stamp", "assets", "activate"},
}

func (r *reader) hook(v value) Hook {
	h := Hook{Pos: r.pos(v.node), Timeout: 10 * time.Minute, OnFailure: Rollback}
	r.mapping(v, keys{
		"before":     r.text(&h.Before),
		"after":      r.text(&h.After),
		"command":    r.command(&h.Command),
		"shell":      r.script(&h.Shell),
		"reload":     r.checked(&h.PIDFile, checkText),
		"timeout":    r.duration(&h.Timeout),
		"on_failure": oneOf(r, &h.OnFailure, Rollback, Warn),
	})
	if (h.Before == "") == (h.After == "") {
		r.fail(v, "write before: activate, or after: activate", "must say which step it is before or after")
	}
	var kinds int
	for _, key := range []string{"command", "shell", "reload"} {
		if child(v, key).node != nil {
			kinds++
		}
	}
	if kinds != 1 {
		r.fail(v, "write one of command: [program, argument], shell: script, reload: /run/php/php8.2-fpm.pid", "must say what is done, in one way")
	}
	if h.OnFailure == Warn && h.After != "activate" {
		r.fail(child(v, "on_failure"), "remove it", "a hook before visitors see anything ends the release when it fails")
	}
	return h
}

// script reads a text of several lines.
func (r *reader) script(dst *string) setter {
	return func(v value) {
		if s, ok := r.scalar(v, false); ok && strings.TrimSpace(s) != "" {
			*dst = s
		} else if ok {
			r.fail(v, "remove the hook", "is empty")
		}
	}
}

// checkHooks sees that the layout has the steps.
func (r *reader) checkHooks(c *Config) {
	steps := hookSteps[c.Layout]
	for i, h := range c.Hooks {
		if step := h.Before + h.After; (h.Before == "") != (h.After == "") && !slices.Contains(steps, step) {
			r.failAt(h.Pos, fmt.Sprintf("hooks[%d]", i), "its steps are "+strings.Join(steps, ", "),
				"the layout %s has no step %q that a hook can be at", c.Layout, step)
		}
	}
}

// arrival is the step that brings the release's files, by layout.
var arrival = map[Layout]string{InPlace: "update", Releases: "build"}

// BeforeFiles reports whether the hook, of a valid configuration of that layout, is done
// before the release's files are there.
func (h Hook) BeforeFiles(l Layout) bool {
	at := slices.Index(hookSteps[l], h.Before+h.After)
	arrived := slices.Index(hookSteps[l], arrival[l])
	return at < arrived || at == arrived && h.Before != ""
}

// File is the process id file, as a path of its own.
func (h Hook) File(c *Config) string {
	if filepath.IsAbs(h.PIDFile) {
		return h.PIDFile
	}
	return filepath.Join(c.Dir, filepath.FromSlash(h.PIDFile))
}

func (r *reader) check(v value) Check {
	c := Check{Pos: r.pos(v.node), Status: 200, Within: 30 * time.Second}
	r.mapping(v, keys{
		"url":    r.checked(&c.URL, checkWebURL),
		"host":   r.checked(&c.Host, checkHost),
		"status": r.number(&c.Status, 100, 599),
		"text":   r.template(&c.Text),
		"within": r.duration(&c.Within),
	}, "url")
	return c
}

func checkWebURL(s string) (problem, hint string) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Sprintf("%q is no address of a web page", s), "write it as https://shop.example.org/health"
	}
	return "", ""
}

// checks reads one check, or a list of them.
func (r *reader) checks(dst *[]Check) setter {
	one := func(v value) { *dst = append(*dst, r.check(v)) }
	return func(v value) {
		if v.node.Kind == yaml.MappingNode {
			one(v)
			return
		}
		r.list(one)(v)
	}
}
