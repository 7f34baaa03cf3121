package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"revstamp/cmd/revstamp/internal/config"
)

// pinnedFormat is the number of the shape that Pinned has as JSON.
const pinnedFormat = 1

// Pinned is a plan that was saved, to be carried out later as it was, or not at
// all: what it found, by digests where that may be secret.
type Pinned struct {
	Format      int               `json:"format"`
	Site        string            `json:"site"`
	Environment string            `json:"environment,omitempty"`
	Want        string            `json:"want,omitempty"`
	From        string            `json:"from,omitempty"`
	To          string            `json:"to"`
	Since       string            `json:"since,omitempty"` // the release that was live
	Config      string            `json:"config"`          // digest of the configuration
	Edits       map[string]string `json:"edits,omitempty"` // digest of before and after, by path
	Jobs        string            `json:"jobs"`            // digest of what is queued

	Local   config.Local      `json:"local"`             // what becomes of local changes
	Changes map[string]string `json:"changes,omitempty"` // digest of each
}

// Pin makes a plan of want one to be saved.
func (p *Plan) Pin(want string) (*Pinned, error) {
	site := p.work.site
	pin := &Pinned{
		Format: pinnedFormat, Site: p.Site, Environment: site.environment(), Want: want,
		From: p.From.ID, To: p.To.ID, Edits: make(map[string]string),
		Local: site.Config.Source.Local, Changes: make(map[string]string),
	}
	for _, l := range p.Local {
		change, err := site.localChange(l)
		if err != nil {
			return nil, err
		}
		pin.Changes[textOf(l.Path)] = digest(change)
	}
	if p.Since != nil {
		pin.Since = p.Since.ID
	}
	var files []byte
	for _, name := range []string{site.Config.File, site.Config.Overlay} {
		if name == "" {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = fmt.Appendf(files, "%d\n%s", len(data), data)
	}
	pin.Config = digest(files)
	for _, e := range p.Edits {
		pin.Edits[textOf(e.Path)] = digest(fmt.Appendf(nil, "%d\n%s%s", len(e.Before), e.Before, e.After))
	}
	jobs, err := json.Marshal(p.Jobs)
	pin.Jobs = digest(jobs)
	return pin, err
}

// ReadPinned reads a plan that was saved as data.
func ReadPinned(data []byte) (*Pinned, error) {
	pin := new(Pinned)
	if err := json.Unmarshal(data, pin); err != nil {
		return nil, fmt.Errorf("not a saved plan: %w", err)
	}
	if pin.Format != pinnedFormat {
		return nil, fmt.Errorf("a saved plan of format %d, and %d is known", pin.Format, pinnedFormat)
	}
	return pin, nil
}

// MovedError refuses a saved plan that is not true any more.
type MovedError struct{ Moved []string }

func (e *MovedError) Error() string {
	return "the plan is not true any more: " + strings.Join(e.Moved, "; ")
}

// Hint tells what to do about it.
func (e *MovedError) Hint() string { return "plan again, and look at what has changed" }

// check refuses to carry out now what pin says, if anything has moved since.
func (pin *Pinned) check(now *Pinned) error {
	var moved []string
	tell := func(format string, args ...any) { moved = append(moved, fmt.Sprintf(format, args...)) }
	if pin.Site != now.Site {
		tell("it is of site %s, this is %s", pin.Site, now.Site)
	}
	if pin.Environment != now.Environment {
		tell("it was made with another --env")
	}
	if pin.Config != now.Config {
		tell("the configuration was edited")
	}
	if pin.Since != now.Since {
		tell("release %s has become live", now.Since)
	}
	if pin.From != now.From {
		tell("the site is at %.12s, and was at %.12s", now.From, pin.From)
	}
	if pin.To != now.To {
		tell("the target is %.12s, and was %.12s", now.To, pin.To)
	}
	if len(moved) == 0 {
		for _, name := range differ(pin.Changes, now.Changes) {
			tell("the local change in %s is another one", name)
		}
		for _, name := range differ(pin.Edits, now.Edits) {
			tell("%s is another one", name)
		}
		if pin.Jobs != now.Jobs {
			tell("the jobs are others")
		}
	}
	if moved == nil {
		return nil
	}
	return &MovedError{Moved: moved}
}

// differ are the files of which one tells something else than the other.
func differ(was, now map[string]string) []string {
	names := make(map[string]string)
	maps.Copy(names, was)
	maps.Copy(names, now)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(name string) bool { return was[name] == now[name] })
}
