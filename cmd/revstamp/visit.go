package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/release"
)

// visitor looks at a site from outside.
type visitor struct {
	page   string
	assets *assets.Site // of the live release; nil without assets

	base  *url.URL
	found []release.Finding
}

const (
	visitTime  = 15 * time.Second // for one answer
	mostPage   = 8 << 20
	mostAssets = 200
	year       = 365 * 24 * time.Hour
)

func (v *visitor) add(topic string, l release.Level, remedy, format string, args ...any) {
	v.found = append(v.found, release.Finding{Topic: topic, Level: l, Text: fmt.Sprintf(format, args...), Remedy: remedy})
}

// look loads the page and what it refers to.
func (v *visitor) look(ctx context.Context) ([]release.Finding, error) {
	var err error
	if v.base, err = url.Parse(v.page); err != nil || v.base.Host == "" || v.base.Scheme != "http" && v.base.Scheme != "https" {
		return nil, &usageError{msg: fmt.Sprintf("%q is no address of a page", v.page), hint: "write it as https://shop.example.org/"}
	}
	res, body, err := v.get(ctx, v.base)
	switch {
	case err != nil:
		v.add("page", release.Problem, "", "%v", err)
		return v.found, ctx.Err()
	case res.StatusCode != http.StatusOK:
		v.add("page", release.Problem, "", "%s: status %d", v.page, res.StatusCode)
	default:
		v.add("page", release.Good, "", "%s answers", v.page)
	}
	if v.assets != nil {
		if err := v.references(ctx, body); err != nil {
			return nil, err
		}
	}
	v.forbidden(ctx)
	return v.found, ctx.Err()
}

func (v *visitor) get(ctx context.Context, u *url.URL) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, visitTime, fmt.Errorf("no answer in %v", visitTime))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("User-Agent", "revstamp")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, mostPage))
	return res, body, err
}

// references looks at each asset that the page refers to.
func (v *visitor) references(ctx context.Context, body []byte) error {
	prefix, _, err := v.assets.Address()
	if err != nil {
		return err
	}
	path, ok := strings.CutPrefix(v.base.Path, strings.TrimSuffix(prefix, "/"))
	path = strings.TrimPrefix(path, "/")
	if path == "" || strings.HasSuffix(path, "/") {
		path += "index.html"
	}
	if !ok {
		path = ""
	}
	result, err := v.assets.Rewrite(assets.Document{Name: v.page, Path: path, Kind: assets.HTML}, body)
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	good := 0
	for _, ref := range result.References {
		u, err := v.base.Parse(strings.ReplaceAll(ref.URL, "&amp;", "&"))
		if err != nil || seen[ref.URL] || len(seen) == mostAssets {
			continue
		}
		seen[ref.URL] = true
		if ref.Old != ref.New {
			v.add("version", release.Problem, "release again, and see that caches in front of the site do not keep pages",
				"line %d: %s has the version %q, and live is %q", ref.Line, ref.URL, ref.Old, ref.New)
			continue
		}
		if v.asset(ctx, u) {
			good++
		}
	}
	for _, ref := range result.Missing {
		v.add("assets", release.Problem, "", "line %d: %s names no file", ref.Line, ref.URL)
	}
	if good > 0 {
		v.add("assets", release.Good, "", "%d of %d assets are there, and kept for a year", good, len(seen))
	}
	return nil
}

var maxAge = regexp.MustCompile(`(?i)(?:^|[ ,])max-age=(\d+)`)

// asset reports whether an asset is as a visitor should find it.
func (v *visitor) asset(ctx context.Context, u *url.URL) bool {
	res, _, err := v.get(ctx, u)
	switch {
	case err != nil:
		v.add("assets", release.Problem, "", "%v", err)
		return false
	case res.StatusCode != http.StatusOK:
		v.add("assets", release.Problem, "", "%s: status %d", u, res.StatusCode)
		return false
	}
	var seconds int
	if m := maxAge.FindStringSubmatch(res.Header.Get("Cache-Control")); m != nil {
		seconds, _ = strconv.Atoi(m[1])
	}
	if time.Duration(seconds)*time.Second < year {
		hint := `configure the server with what "revstamp conf" writes`
		if ext := filepath.Ext(u.Path); !slices.Contains(assets.Extensions(), strings.ToLower(ext)) {
			hint = fmt.Sprintf(`say in the server's configuration how long %s files are kept: "revstamp conf" leaves to you what an application may answer, too`, ext)
		}
		v.add("caching", release.Doubt, hint,
			"%s may be kept for %d seconds, and not for a year: %s", u, seconds, caching(res.Header))
		return false
	}
	return true
}

// caching is what an answer says of being kept.
func caching(h http.Header) string {
	if said := h.Get("Cache-Control"); said != "" {
		return "Cache-Control: " + said
	}
	return "it has no Cache-Control"
}

// unseen is a file that is for no visitor, and how it begins.
type unseen struct {
	path string
	is   func(body []byte) bool
}

var forbidden = []unseen{
	{".git/HEAD", func(b []byte) bool { return bytes.HasPrefix(b, []byte("ref: ")) || isHex(bytes.TrimSpace(b)) }},
	{".git/config", func(b []byte) bool { return bytes.Contains(b, []byte("[core]")) }},
	{".svn/wc.db", func(b []byte) bool { return bytes.HasPrefix(b, []byte("SQLite format 3")) }},
	{".hg/requires", func(b []byte) bool { return bytes.Contains(b, []byte("store")) }},
	{"revstamp.yaml", func(b []byte) bool { return bytes.Contains(b, []byte("site:")) }},
	{".revstamp/lock", func(b []byte) bool { return bytes.HasPrefix(b, []byte("{")) }},
	{".env", func(b []byte) bool { return bytes.Contains(b, []byte("=")) && !bytes.Contains(b, []byte("<")) }},
}

func isHex(b []byte) bool {
	return len(b) == 40 && !bytes.ContainsFunc(b, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
}

// forbidden asks for what nobody may have. A page in its place is no such file.
func (v *visitor) forbidden(ctx context.Context) {
	var served []string
	for _, s := range forbidden {
		u := *v.base
		u.Path, u.RawPath, u.RawQuery, u.Fragment = "/"+s.path, "", "", ""
		if res, body, err := v.get(ctx, &u); err == nil && res.StatusCode == http.StatusOK && s.is(body) {
			served = append(served, u.String())
		}
	}
	if len(served) > 0 {
		slices.Sort(served)
		v.add("exposed", release.Problem, `refuse it: "revstamp conf nginx" writes how`, "anybody can read %s", strings.Join(served, ", "))
		return
	}
	v.add("exposed", release.Good, "", "version control, configuration and state are not served")
}
