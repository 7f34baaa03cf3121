package vcs

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// tlsOptions is what go-git can be told of git's http.* configuration.
type tlsOptions struct {
	authorities []byte // PEM, besides the system's
	unverified  bool
}

// httpMatters are the variables under http. without which a server may not be
// reached, or not the right one. What is not here only tunes.
var httpMatters = map[string]bool{
	"proxy": true, "sslcainfo": true, "sslcapath": true, "sslverify": true, "sslcert": true, "sslkey": true,
	"extraheader": true, "cookiefile": true, "pinnedpubkey": true, "proxyauthmethod": true,
	"proxysslcert": true, "proxysslcainfo": true, "curloptresolve": true, "delegation": true,
}

// tls reads http.sslCAInfo and http.sslVerify, and refuses by name what else
// is configured for a URL.
func (s *gitState) tls(address string) (tlsOptions, error) {
	var o tlsOptions
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return o, nil
	}
	authorities := os.Getenv("GIT_SSL_CAINFO") // before what is configured
	for _, key := range s.config.Keys("http.") {
		name := key[strings.LastIndexByte(key, '.')+1:]
		scope := strings.TrimSuffix(strings.TrimPrefix(key, "http."), name)
		if !httpMatters[name] || scope != "" && !mayMatch(scope, u) || s.config.String(key) == "" {
			continue
		}
		switch key {
		case "http.sslcainfo":
			authorities = cmp.Or(authorities, s.config.String(key))
		case "http.sslverify":
			o.unverified = !s.config.Bool(key, true)
		default:
			return o, &UnsupportedError{System: "git", Feature: "the configuration of " + key, Install: "git"}
		}
	}
	if authorities != "" {
		if o.authorities, err = os.ReadFile(authorities); err != nil {
			return o, fmt.Errorf("http.sslCAInfo: %w", err)
		}
	}
	return o, nil
}

// mayMatch reports whether http.<scope>.* may speak of a URL, by the host alone.
func mayMatch(scope string, u *url.URL) bool {
	at, err := url.Parse(strings.TrimSuffix(scope, "."))
	return err != nil || strings.Contains(at.Host, "*") || strings.EqualFold(at.Hostname(), u.Hostname())
}
