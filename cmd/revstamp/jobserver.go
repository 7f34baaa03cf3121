package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"revstamp/gearman/jobserver"
	"revstamp/gearman/jobserver/boltstore"
)

// defaultServer is where a job server listens when nobody says otherwise.
const defaultServer = "127.0.0.1:4730"

// A jobServer is the command jobserver.
type jobServer struct {
	*app
	listen  string
	queue   string
	metrics string
	tls     tlsFiles
}

func newJobServer(a *app) *cobra.Command {
	s := &jobServer{app: a}
	cmd := &cobra.Command{
		Use:   "jobserver",
		Short: "Serve the embedded Gearman job server",
		Long: `Jobserver serves Gearman's protocol to clients and workers of any language. It
listens on loopback unless told otherwise: the protocol has no authentication but
that of TLS, with --tls-cert, --tls-key and, for certificates of clients,
--tls-ca.

Its queue is in memory and ends with the process, unless --queue names a file.
That has every background job before the job is acknowledged, and gives it back
to the next server after whatever end, a kill or a power cut. A job that ended in
the very last moments before that is done once more. The file is one server's at
a time; foreground jobs are not in it.

With --metrics its counters are at http://ADDRESS/metrics, for Prometheus: what is
queued, delayed and running and how many workers there are, by function, and what
was accepted, completed, failed, retried, dropped and refused.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context()) },
	}
	s.tls.flags(cmd, "of the server, which makes it TLS", "whose certificates clients have to have")
	f := cmd.Flags()
	f.StringVarP(&s.listen, "listen", "l", defaultServer, "`address` to listen on")
	f.StringVar(&s.queue, "queue", "", "`file` that keeps background jobs; made if there is none")
	f.StringVar(&s.metrics, "metrics", "", "`host:port` to serve counters on, in Prometheus's format; :port is loopback")
	return cmd
}

func (s *jobServer) run(ctx context.Context) (err error) {
	config, err := s.tls.server()
	if err != nil {
		return err
	}
	server := &jobserver.Server{Logger: s.out.Warnings()}
	if s.queue != "" {
		store, err := boltstore.Open(s.queue)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		server.Store = store
	}
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	if s.metrics != "" {
		page, err := serveMetrics(ctx, s.metrics, server.Stats, server.Logger)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		defer func() { err = errors.Join(err, page.Close()) }()
		s.out.Info("counters at http://%v/metrics", page.Addr)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	s.out.Info("serving on %v", l.Addr())
	shutdown := func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if err != nil {
			err = fmt.Errorf("jobs that had not ended within %v are broken off: %w", graceful, err)
		}
		return errors.Join(err, server.Close())
	}
	return s.serve(ctx, func() error { return server.Serve(l) }, shutdown, jobserver.ErrServerClosed)
}
