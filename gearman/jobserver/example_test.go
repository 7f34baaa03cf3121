package jobserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"

	"revstamp/gearman/jobserver"
)

// A job server within the process, asked as an administrator would ask it.
func Example() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	var s jobserver.Server
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	io.WriteString(c, "create function warm_cache\r\nstatus\r\n")
	answer := make([]byte, len("OK\r\nwarm_cache\t0\t0\t0\n.\n"))
	if _, err := io.ReadFull(c, answer); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", answer)

	if err := s.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(<-served, jobserver.ErrServerClosed))
	// Output:
	// "OK\r\nwarm_cache\t0\t0\t0\n.\n"
	// true
}
