package vcs

import (
	"net/url"
	"strings"
)

// userinfo is what stands before the last @ of a URL's authority: a password
// may hold an @ itself, and never a slash or a space.
var userinfo = lazily(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s'"]*@`)

// redact removes user names and passwords from the URLs in a text. A user name
// alone is removed too: for many hosts it is the token.
func redact(s string) string { return userinfo().ReplaceAllString(s, "$1") }

func redactAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = redact(s)
	}
	return out
}

// publicURL is a remote's URL as it may be shown: without user names and
// passwords (but ssh's user name, which is no secret and part of the address),
// without query and fragment. What is no URL (a path, "git@host:path") stays.
func publicURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return redact(s)
	}
	if u.Scheme == "" || u.Host == "" {
		return redact(s)
	}
	user := ""
	if u.User != nil && strings.HasSuffix(u.Scheme, "ssh") {
		user = u.User.Username()
	}
	u.User, u.RawQuery, u.Fragment, u.RawFragment = nil, "", "", ""
	if user != "" {
		u.User = url.User(user)
	}
	return u.String()
}
