package gearman_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"revstamp/gearman"
)

func TestDefaultPort(t *testing.T) {
	tests := map[string]string{
		"web1": "web1:4730", "web1:1": "web1:1", "192.0.2.1": "192.0.2.1:4730",
		"::1": "[::1]:4730", "[::1]": "[::1]:4730", "[::1]:1": "[::1]:1",
	}
	for server, want := range tests {
		var got string
		c := &gearman.Client{Dial: func(_ context.Context, network, addr string) (net.Conn, error) {
			got = addr
			return nil, errors.New("no")
		}}
		c.Echo(t.Context(), server, nil)
		c.Close()
		if got != want {
			t.Errorf("%s dialed as %s, want %s", server, got, want)
		}
	}
}
