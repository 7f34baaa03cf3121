package release

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestListenEmbedded(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "1.jobs")
	for _, c := range []struct{ name, path, network string }{
		{"at first", socket, "unix"},
		{"after a kill", socket, "unix"},
		{"path too long for a socket", filepath.Join(dir, strings.Repeat("x", 120)), "tcp"},
		{"no such directory", filepath.Join(dir, "none", "1.jobs"), "tcp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := listenEmbedded(c.path)
			if err != nil {
				t.Fatal(err)
			}
			if unix, ok := l.(*net.UnixListener); ok {
				unix.SetUnlinkOnClose(false) // as if killed
			}
			defer l.Close()
			if got := l.Addr().Network(); got != c.network {
				t.Fatalf("listens on %s, want %s", got, c.network)
			}
			client := embeddedClient(l.Addr())
			defer client.Close()
			conn, err := client.Dial(t.Context(), "tcp", "embedded:4730")
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
}
