package gearman_test

import (
	"bytes"
	"context"
	"fmt"
	"net"

	"revstamp/gearman"
	"revstamp/gearman/jobserver"
)

// A worker and a client meet at a job server.
func Example() {
	ctx := context.Background()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := new(jobserver.Server)
	go server.Serve(l)
	defer server.Close()
	servers := []string{l.Addr().String()}

	w := &gearman.Worker{Servers: servers}
	w.Handle("upper", 0, gearman.HandlerFunc(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
		j.Progress(1, 1)
		return bytes.ToUpper(j.Workload), nil
	}))
	go w.Serve()
	defer w.Shutdown(ctx)

	c := &gearman.Client{Servers: servers}
	defer c.Close()
	result, err := c.Do(ctx, gearman.Task{
		Function: "upper",
		Workload: []byte("released"),
		OnEvent:  func(e gearman.Event) { fmt.Printf("%d of %d\n", e.Numerator, e.Denominator) },
	})
	fmt.Println(string(result.Data), err)
	// Output:
	// 1 of 1
	// RELEASED <nil>
}
