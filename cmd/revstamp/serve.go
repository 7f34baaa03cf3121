package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"revstamp/assets"
)

func newServe(a *app) *cobra.Command {
	s := &assetSite{app: a}
	listen := "127.0.0.1:8080"
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the assets over HTTP",
		Long: `Serve serves the asset root as a web server with the configuration of "revstamp
conf" does: versioned URLs to be kept for a year, others to be asked for again,
with ETags, ranges, and variants that are compressed already (.br, .zst, .gz).
What is for no visitor is not found, and nothing outside of the root is served.

It is for trying a site out, on this machine alone unless --listen says more,
until it is interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.configure(); err != nil {
				return err
			}
			return s.serve(cmd.Context(), listen)
		},
	}
	s.addressFlags(cmd)
	s.rootFlag(cmd)
	cmd.Flags().StringVarP(&listen, "listen", "l", listen, "`host:port`; port 0 is a free one")
	return cmd
}

// lastAnswers is how long requests that are being answered have once the server
// is to end.
const lastAnswers = 5 * time.Second

func (s *assetSite) serve(ctx context.Context, listen string) (err error) {
	if err := s.checkAddress(); err != nil {
		return err
	}
	if _, _, err := net.SplitHostPort(listen); err != nil {
		return &usageError{msg: fmt.Sprintf("%q is no address to listen at", listen), hint: "write --listen as 127.0.0.1:8080, or :8080 for all that this machine has"}
	}
	h, err := assets.NewHandler(s.root, s.url, s.param)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	at := "http://" + l.Addr().String() + s.url
	err = s.out.Result(map[string]string{"root": shown(s.root), "url": at}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "serving %s at %s\n", shown(s.root), at)
		return err
	})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancel()
	err = server.Shutdown(last)
	if ended := <-ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
