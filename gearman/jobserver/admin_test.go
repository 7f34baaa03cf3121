package jobserver

import (
	"fmt"
	"net"
	"os"
	"testing"

	"revstamp/gearman/wire"
)

// What the conversations cannot hold against gearmand: what tells of the process
// and of connections.
func TestAdmin(t *testing.T) {
	t.Parallel()
	w := start(t, new(Server))
	converse(t, w, "ours", `
		w> CAN_DO f
		w> CAN_DO g
		w> SET_CLIENT_ID the\x00rest
		a! workers
		a= 1 127.0.0.1 the : g f
		a= 2 127.0.0.1 - :
		a= .
		w> SET_CLIENT_ID *200
		w> RESET_ABILITIES
		a~ workers: 1 127.0.0.1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx :
		a! version
		a= OK 1.1.20
		a! getpid
		a= OK `+fmt.Sprint(os.Getpid()))
	bare := dial(t, w) // gearmand makes a function "barefoo" of this
	bare.write([]byte("create function barefoot\n"))
	if got := bare.text(); got != "OK" {
		t.Errorf("create function = %q, want OK", got)
	}
	until(t, w, "status", "barefoot 0 0 0")
	converse(t, start(t, &Server{Version: "2", AllowShutdown: true}), "ours", `
		a! Version
		a= OK 2
		a! shutdown at once
		a= ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+shutdown`)
}

func TestShutdownCommand(t *testing.T) {
	t.Parallel()
	for command, job := range map[string]bool{"shutdown": true, "shutdown graceful": false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{HandlePrefix: "A", AllowShutdown: true}
		served := make(chan error)
		go func() { served <- s.Serve(l) }()
		c, a := dial(t, l.Addr().String()), dial(t, l.Addr().String())
		c.ask("JOB_CREATED A:1", wire.SubmitJobBg, "f", "", "work")
		a.write([]byte(command + "\r\n"))
		if got := a.text(); got != "OK" {
			t.Errorf("%s = %q, want OK", command, got)
		}
		if !job {
			c.say(wire.CanDo, "f")
			c.ask("JOB_ASSIGN A:1|f|work", wire.GrabJob)
			c.write(raw(wire.Request, wire.WorkComplete, []string{"A:1", ""}))
		}
		if err := <-served; err != ErrServerClosed {
			t.Errorf("Serve after %s = %v, want %v", command, err, ErrServerClosed)
		}
	}
}
