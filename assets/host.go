package assets

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Host returns a host as it stands in a URL, of what people call it: in lower case,
// with its port where there is one, without a scheme and a slash at the end, as of an
// address that was copied. Anything else is an error, such as a path: all that a host
// serves is the site's own.
func Host(s string) (string, error) {
	host := strings.ToLower(s)
	for _, scheme := range []string{"https:", "http:"} {
		if rest, ok := strings.CutPrefix(host, scheme+"//"); ok {
			host = "//" + rest
		}
	}
	host, _ = strings.CutPrefix(host, "//")
	host = strings.TrimSuffix(host, "/")
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port, err = net.SplitHostPort(host + ":443")
	}
	_, wrong := strconv.ParseUint(port, 10, 16)
	good := err == nil && wrong == nil && name != ""
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(name)
		good = good && err == nil && addr.Is6()
	} else {
		good = good && !strings.ContainsFunc(name, notInHost)
	}
	if !good {
		return "", fmt.Errorf("host %q is none: it is a name, with its port where URLs have one, as static.example.org", s)
	}
	return host, nil
}

func notInHost(c rune) bool {
	return c <= ' ' || c == 0x7f || strings.ContainsRune(`/\@?#,;:[]"'*<>|%`, c)
}
