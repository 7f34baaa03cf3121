package release

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"revstamp/gearman"
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

// Where reports may be is asked while they come in.
func TestServersWhileReported(t *testing.T) {
	f := &followed{
		site: &Site{}, journal: journalAt(t, filepath.Join(t.TempDir(), "1.jsonl")),
		hub:  &hub{client: &gearman.Client{Servers: []string{"a:4730"}}},
		jobs: []Job{{N: 1, Unique: "1", State: jobSubmitted, Server: "b:4730"}},
	}
	defer f.journal.Close()
	var reporting sync.WaitGroup
	reporting.Go(func() {
		if err := f.outcome("1", gearman.Succeeded, nil); err != nil {
			t.Error(err)
		}
	})
	for range 100 {
		if got, want := f.servers(), []string{"a:4730", "b:4730"}; !slices.Equal(got, want) {
			t.Errorf("servers() = %q, want %q", got, want)
		}
	}
	reporting.Wait()
}
