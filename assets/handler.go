package assets

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Handler serves the files of an asset root over HTTP, as the configuration
// that "revstamp conf" writes has web servers do it:
//
//   - A URL with a version, in its query or in the name of its file, is kept for a
//     year, and asked for again never (Cache-Control: immutable). One without is
//     asked for again each time, which costs no more than a 304: ETags are strong,
//     and so are ranges by If-Range.
//   - A fingerprinted name whose file is gone gets the asset as it is now, for the
//     page that asks is old. It is not kept: that is not what the name says.
//   - Of a file and its variants site.css.br, .zst and .gz the one is sent that
//     the client likes best, unless it is older than the file.
//   - Nothing outside of the root is served, whatever links lie in it, and
//     nothing that is for no visitor: names that begin with a dot, what editors
//     and merges leave behind, revstamp's files, and the source of pages, as of
//     PHP. That is not found, as if nothing were there.
//
// A directory is its index.html, or not found. Errors are not to be kept.
// A Handler may be used by several goroutines.
type Handler struct {
	root   *os.Root
	prefix string // without the last slash
	param  string
}

// NewHandler serves the directory root as url and param of a Site with these
// settings say: "" are "/" and "v". Close it.
func NewHandler(root, url, param string) (*Handler, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	s := Site{FS: r.FS(), URL: url, Param: param}
	prefix, param, err := s.Address()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &Handler{root: r, prefix: strings.TrimSuffix(prefix, "/"), param: param}, nil
}

// Close lets go of the root; no request may be served any more.
func (h *Handler) Close() error { return h.root.Close() }

// What is for no visitor: as in the configurations of package templates.
var (
	wellKnown = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^/\.well-known(?:/[^./][^/]*)*/?$`)
	})
	leftBehind = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)(?:~|/#[^/]*#|\.(?:bak|old|orig|save|tmp|rej|prej|working|mine|r[0-9]+|sw[g-p]|revstamp)(?:\.[0-9]+)?|\.sql(?:\.(?:gz|bz2|xz|zst|zip))?|/revstamp(?:\.[a-z0-9_-]+)?\.ya?ml)$`)
	})
)

// hidden reports whether the file at a URL path is for no visitor.
func hidden(urlPath string) bool {
	ext := strings.ToLower(path.Ext(urlPath))
	if documents[ext] && types[ext] == "" && ext != ".md" && ext != ".xhtml" {
		return true // the source of a page
	}
	return strings.Contains(urlPath, "/.") && !wellKnown().MatchString(urlPath) || leftBehind().MatchString(urlPath)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed)
		return
	}
	under, ok := strings.CutPrefix(r.URL.Path, h.prefix)
	if !ok || !strings.HasPrefix(under, "/") || strings.Contains(under, "\x00") || hidden(r.URL.Path) {
		fail(w, http.StatusNotFound)
		return
	}
	cache := revalidate
	if fingerprintIn([]byte(under)) >= 0 || r.URL.Query().Get(h.param) != "" {
		cache = year
	}
	f, err := h.open(under)
	if original, ok := Original(under); ok && err != nil && isMissing(err) && !hidden(h.prefix+original) {
		under, cache = original, revalidate
		f, err = h.open(under)
	}
	if err != nil {
		fail(w, status(err))
		return
	}
	defer f.Close() // only read
	if f.IsDir() {
		h.directory(w, r, under, cache)
		return
	}
	h.serve(w, r, f, under, cache)
}

// status is that of an error of the file system.
func status(err error) int {
	if isMissing(err) || errors.Is(err, syscall.ELOOP) || strings.Contains(err.Error(), "escapes from parent") {
		return http.StatusNotFound
	}
	if errors.Is(err, fs.ErrPermission) {
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}

// fail answers with an error, which nobody is to keep.
func fail(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
}

// opened is a file, and what is known of it.
type opened struct {
	*os.File
	fs.FileInfo
}

func (f opened) Close() error { return f.File.Close() }
func (f opened) Name() string { return f.FileInfo.Name() }

// open opens the file at a path that begins with a slash.
func (h *Handler) open(under string) (opened, error) {
	name := strings.Trim(under, "/")
	if name == "" {
		name = "."
	}
	if !ValidPath(name) {
		return opened{}, fs.ErrNotExist
	}
	// A pipe that nobody writes to would hold the request for ever.
	f, err := h.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return opened{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() || err == nil && info.Mode().IsRegular() && strings.HasSuffix(under, "/") {
		err = fs.ErrNotExist
	}
	if err != nil {
		return opened{}, errors.Join(err, f.Close())
	}
	return opened{f, info}, nil
}

// directory serves an index.html, from a URL that ends in a slash: otherwise
// what is relative in it would mean something else.
func (h *Handler) directory(w http.ResponseWriter, r *http.Request, under, cache string) {
	index := path.Join(under, "index.html")
	f, err := h.open(index)
	if err != nil || f.IsDir() {
		if err == nil {
			f.Close() // only opened
		}
		fail(w, http.StatusNotFound)
		return
	}
	defer f.Close() // only read
	if strings.HasSuffix(under, "/") {
		h.serve(w, r, f, index, cache)
		return
	}
	u := *r.URL
	u.Scheme, u.Host, u.User = "", "", nil
	u.Path += "/"
	if u.RawPath != "" {
		u.RawPath += "/"
	}
	// Two slashes at the beginning would name a host.
	w.Header().Set("Cache-Control", revalidate)
	http.Redirect(w, r, "/"+strings.TrimLeft(u.String(), "/"), http.StatusFound)
}

// What is kept how long: a versioned URL, and all others.
const (
	year       = "public, max-age=31536000, immutable"
	revalidate = "no-cache"
)

// serve answers with the file at a path, or a variant of it.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, f opened, under, cache string) {
	if documents[strings.ToLower(path.Ext(under))] {
		cache = revalidate // a page's URL is its own; a version on it says nothing
	}
	header := w.Header()
	header.Set("Cache-Control", cache)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Type", typeOf(f.Name()))
	sent, coding := f, ""
	if v, c := h.variant(r, f, under, header); c != "" {
		defer v.Close() // only read
		sent, coding = v, c
		header.Set("Content-Encoding", c)
	}
	header.Set("ETag", etag(sent, coding))
	http.ServeContent(w, r, "", sent.ModTime(), sent.File)
}

// etag changes with the file's content: whoever writes it without changing its
// size, and within a tick of the clock, replaces it, as all do who care.
func etag(f opened, coding string) string {
	st, _ := f.Sys().(*syscall.Stat_t)
	inode := uint64(0)
	if st != nil {
		inode = st.Ino
	}
	tag := strconv.FormatInt(f.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(f.Size(), 36) + "-" + strconv.FormatUint(inode, 36)
	if coding != "" {
		tag += "-" + coding
	}
	return `"` + tag + `"`
}

// codings are those of variants, the best first.
var codings = []struct{ name, ext string }{{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}}

// variant opens the one that is sent instead of the file, if any. What the answer
// depends on is told either way.
func (h *Handler) variant(r *http.Request, f opened, under string, header http.Header) (v opened, coding string) {
	best := 0.0
	for _, c := range codings {
		found, err := h.open(under + c.ext)
		if err != nil {
			continue
		}
		if found.IsDir() || found.ModTime().Before(f.ModTime().Truncate(time.Second)) {
			found.Close() // not used
			continue
		}
		header.Set("Vary", "Accept-Encoding")
		if q := accepts(r.Header.Get("Accept-Encoding"), c.name); q > best {
			if coding != "" {
				v.Close() // not used
			}
			best, v, coding = q, found, c.name
		} else {
			found.Close() // not used
		}
	}
	return v, coding
}

// accepts returns the weight that a client gives a coding (RFC 9110, section
// 12.5.3): 0 when it does not take it.
func accepts(header, coding string) float64 {
	weight := 0.0
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != coding && name != "*" {
			continue
		}
		q := 1.0
		if key, value, ok := strings.Cut(strings.TrimSpace(params), "="); ok && strings.EqualFold(strings.TrimSpace(key), "q") {
			parsed, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || parsed < 0 || parsed > 1 {
				parsed = 0
			}
			q = parsed
		}
		if name == coding {
			return q
		}
		weight = q
	}
	return weight
}

// types are those that must not depend on what a system has configured: of what
// is not as it says browsers make nothing, for they are told not to guess.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8",
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json",
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon", ".apng": "image/apng", ".jxl": "image/jxl",
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf",
	".wasm": "application/wasm", ".pdf": "application/pdf", ".xml": "application/xml", ".txt": "text/plain; charset=utf-8",
	".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".mp4": "video/mp4", ".webm": "video/webm", ".vtt": "text/vtt; charset=utf-8",
}

func typeOf(name string) string {
	ext := strings.ToLower(path.Ext(name))
	return cmp.Or(types[ext], mime.TypeByExtension(ext), "application/octet-stream")
}

// String tells what is served, for a log.
func (h *Handler) String() string { return fmt.Sprintf("%s at %s/", h.root.Name(), h.prefix) }
