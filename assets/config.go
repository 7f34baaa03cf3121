package assets

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
)

// siteConfig is a Site's settings, checked and made ready, and what it has
// found out.
type siteConfig struct {
	fs      fs.FS
	prefix  []byte // begins and ends with a slash
	hosts   []string
	param   string
	rev     string // as it stands in a URL
	catalog *catalog
	track   bool       // what is looked up for a document is kept in its result
	graph   sync.Mutex // held while assets that have references are digested

	versionOf func(path string) (string, error) // nil: by content
	at        string                            // what that goes by; "" is not known
	rewrites  func(path string) bool            // nil: all
	style     Style
	wrote     func(path string) bool          // nil: nothing
	names     func() (map[string]bool, error) // of the assets that are listed
	sums      sync.Map                        // of integrityKey to func() integrity
	further   []string                        // Attributes, in lower case
	modules   func() (bool, error)            // whether their URLs have versions
	unseen    atomic.Pointer[string]          // the document because of which they have none
	answer    atomic.Int32                    // what that said: an answer
}

// ready returns the settings of the site.
func (s *Site) ready() (*siteConfig, error) {
	s.once.Do(func() { s.config, s.err = s.check() })
	return s.config, s.err
}

func (s *Site) check() (*siteConfig, error) {
	c := &siteConfig{
		fs:      s.FS,
		param:   s.Param,
		rev:     percentEncode(s.Rev),
		catalog: newCatalog(),

		versionOf: s.VersionOf,
		at:        s.VersionsAt,
		rewrites:  s.Rewrites,
		style:     s.Style,
		wrote:     s.Written,
	}
	c.names = sync.OnceValues(c.listNames)
	c.modules = sync.OnceValues(c.importersAreKnown)
	if s.FS == nil {
		return nil, errors.New("assets: no asset root")
	}
	if s.Rev != "" && s.VersionOf != nil {
		return nil, errors.New("assets: a version is either that of the site or that of each file, not both")
	}
	switch c.style {
	case "":
		c.style = ByQuery
	case ByQuery:
	case ByName:
		if s.Rev != "" || s.VersionOf != nil {
			return nil, errors.New("assets: versions in names are digests: no revision can be in their place")
		}
	default:
		return nil, fmt.Errorf("assets: style %q is not known: it is query or name", s.Style)
	}
	switch s.Modules {
	case "", ModulesWhenKnown:
	case AllModules, NoModules:
		c.modules = func() (bool, error) { return s.Modules == AllModules, nil }
	default:
		return nil, fmt.Errorf("assets: modules %q is not known: it is auto, all or none", s.Modules)
	}
	if c.param == "" {
		c.param = "v"
	}
	for i := range len(c.param) {
		if b := c.param[i]; !isAlnum(b) && b != '.' && b != '_' && b != '-' {
			return nil, fmt.Errorf("assets: parameter %q: only letters, digits, '.', '_' and '-' are possible", s.Param)
		}
	}
	for _, name := range s.Attributes {
		if err := checkFurther(name); err != nil {
			return nil, err
		}
		c.further = append(c.further, strings.ToLower(name))
	}
	prefix := s.URL
	if prefix == "" {
		prefix = "/"
	}
	if prefix[0] != '/' || strings.HasPrefix(prefix, "//") || strings.ContainsAny(prefix, `?#\`) {
		return nil, fmt.Errorf("assets: url %q: not an absolute path", s.URL)
	}
	prefix = strings.TrimRight(prefix, "/") + "/_"
	dir, ok := join([]byte("/"), percentDecode(nil, []byte(prefix)))
	if !ok {
		return nil, fmt.Errorf("assets: url %q: not a directory", s.URL)
	}
	c.prefix = dir[:len(dir)-1]
	for _, h := range s.Hosts {
		host, err := Host(h)
		if err != nil {
			return nil, fmt.Errorf("assets: %w", err)
		}
		c.hosts = append(c.hosts, host)
	}
	return c, nil
}

// isOurs reports whether a URL's host is among the site's own.
func (s *siteConfig) isOurs(host []byte) bool {
	for _, h := range s.hosts {
		if equalFold(host, h) {
			return true
		}
	}
	return false
}

// Address returns what the site's URL paths begin with, decoded, which begins
// and ends with a slash, and its query parameter. The error is that of the
// site's settings.
func (s *Site) Address() (prefix, param string, err error) {
	config, err := s.ready()
	if err != nil {
		return "", "", err
	}
	return string(config.prefix), config.param, nil
}
