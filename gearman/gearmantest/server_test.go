package gearmantest_test

import (
	"net"
	"testing"

	"revstamp/gearman/gearmantest"
)

func TestServer(t *testing.T) {
	t.Parallel()
	s := gearmantest.Start(t)
	dial := func() error {
		nc, err := net.Dial("tcp", s.Addr)
		if err == nil {
			nc.Close()
		}
		return err
	}
	if err := dial(); err != nil {
		t.Errorf("after Start: %v", err)
	}
	s.Stop()
	if err := dial(); err == nil {
		t.Error("after Stop it still listens")
	}
	s.Restart()
	if err := dial(); err != nil {
		t.Errorf("after Restart: %v", err)
	}
	s.Kill()
	if err := dial(); err == nil {
		t.Error("after Kill it still listens")
	}
}
