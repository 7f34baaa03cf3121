package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"revstamp/gearman/jobserver"
)

// A metricsPage serves the counters of a job server at /metrics, in the text
// format of Prometheus.
type metricsPage struct {
	Addr   net.Addr
	server *http.Server
	ended  chan error
}

// serveMetrics serves the page on addr, whose host is loopback when it has none.
func serveMetrics(ctx context.Context, addr string, stats func() jobserver.Stats, logger *slog.Logger) (*metricsPage, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &usageError{msg: fmt.Sprintf("--metrics %q: %v", addr, err), hint: "give host:port, or :port for loopback"}
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		writeMetrics(w, stats()) // an error is that of a peer that went
	})
	p := &metricsPage{
		Addr: l.Addr(),
		server: &http.Server{
			Handler:        mux,
			ReadTimeout:    10 * time.Second,
			WriteTimeout:   10 * time.Second,
			MaxHeaderBytes: 16 << 10,
			ErrorLog:       slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // of its peers; what it waits for, the job server does too
		},
		ended: make(chan error, 1),
	}
	go func() { p.ended <- p.server.Serve(l) }()
	return p, nil
}

// Close ends the page, and who is reading it.
func (p *metricsPage) Close() error {
	err := p.server.Close()
	if ended := <-p.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// escaped is how the value of a label is written.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// writeMetrics writes s. The format is that of
// https://prometheus.io/docs/instrumenting/exposition_formats/.
func writeMetrics(w io.Writer, s jobserver.Stats) error {
	b := bufio.NewWriter(w)
	describe := func(kind, name, help string) {
		fmt.Fprintf(b, "# HELP gearman_%s %s\n# TYPE gearman_%s %s\n", name, help, name, kind)
	}
	one := func(kind, name, help string, value any) {
		describe(kind, name, help)
		fmt.Fprintf(b, "gearman_%s %v\n", name, value)
	}
	each := func(name, help string, value func(jobserver.FunctionStats) int) {
		describe("gauge", name, help)
		for _, f := range s.Functions {
			function := escaped.Replace(strings.ToValidUTF8(f.Name, "\ufffd"))
			fmt.Fprintf(b, "gearman_%s{function=\"%s\"} %d\n", name, function, value(f))
		}
	}
	each("jobs_queued", "Jobs that wait for a worker.", func(f jobserver.FunctionStats) int { return f.Queued })
	each("jobs_delayed", "Jobs whose time has not come.", func(f jobserver.FunctionStats) int { return f.Delayed })
	each("jobs_running", "Jobs that a worker has.", func(f jobserver.FunctionStats) int { return f.Running })
	each("workers", "Workers that announced the function.", func(f jobserver.FunctionStats) int { return f.Workers })

	one("gauge", "connections", "Connections of clients, workers and administrators.", s.Connections)
	one("counter", "connections_accepted_total", "Connections accepted.", s.ConnectionsAccepted)
	one("counter", "connections_refused_total", "Connections closed because there were too many.", s.ConnectionsRefused)
	one("counter", "connections_slow_total", "Connections ended because the peer did not read.", s.ConnectionsSlow)
	one("counter", "packets_too_large_total", "Packets refused for their size.", s.PacketsTooLarge)

	one("counter", "jobs_accepted_total", "Jobs submitted, or taken up from the durable queue; equal ones once.", s.JobsAccepted)
	one("counter", "jobs_completed_total", "Jobs completed.", s.JobsCompleted)
	one("counter", "jobs_failed_total", "Jobs failed, by an exception too.", s.JobsFailed)
	one("counter", "jobs_dropped_total", "Jobs cancelled, abandoned by their clients, or not stored.", s.JobsDropped)
	one("counter", "jobs_retried_total", "Jobs queued again because a worker lost them.", s.JobsRetried)
	one("counter", "refused_total", "Submissions and announcements refused by a limit, or for want of storage.", s.Refused)

	describe("summary", "store_write_seconds", "Writes of the durable queue.")
	fmt.Fprintf(b, "gearman_store_write_seconds_sum %v\n", s.StoreTime.Seconds())
	fmt.Fprintf(b, "gearman_store_write_seconds_count %d\n", s.StoreWrites)
	one("counter", "store_write_failures_total", "Writes of the durable queue that failed.", s.StoreFailures)
	return b.Flush()
}
