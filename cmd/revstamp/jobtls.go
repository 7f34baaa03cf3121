package main

import (
	"crypto/tls"
	"slices"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/config"
)

// tlsFiles are the flags for connections to and of job servers.
type tlsFiles struct{ config.TLS }

func (f *tlsFiles) flags(cmd *cobra.Command, cert, ca string) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.Cert, "tls-cert", "", "`file` with the certificate "+cert)
	flags.StringVar(&f.Key, "tls-key", "", "`file` with its private key")
	flags.StringVar(&f.CA, "tls-ca", "", "`file` with the authorities "+ca)
}

// clientFlags are those of who connects to a job server.
func (f *tlsFiles) clientFlags(cmd *cobra.Command) {
	f.flags(cmd, "to show to job servers", "of their certificates; one of these files makes it TLS")
}

// client is for connections to servers, nil for plain text. Without a flag it is
// what the configuration has for the servers that it names.
func (f *tlsFiles) client(a *app, servers ...string) (*tls.Config, error) {
	if f.TLS == (config.TLS{}) {
		if s, err := a.site(); err == nil && allNamed(s.Config.Jobs.Servers, servers) {
			return s.Config.Jobs.TLS.Client()
		}
		return nil, nil
	}
	if err := f.paired(); err != nil {
		return nil, err
	}
	return f.TLS.Client()
}

// allNamed reports whether each of servers is one of the configured ones, which all
// have a port.
func allNamed(configured, servers []string) bool {
	return !slices.ContainsFunc(servers, func(s string) bool {
		return !slices.Contains(configured, s) && !slices.Contains(configured, s+":4730")
	})
}

// server is nil for plain text.
func (f *tlsFiles) server() (*tls.Config, error) {
	if f.TLS != (config.TLS{}) && f.Cert == "" {
		return nil, &usageError{msg: "a TLS server without a certificate", hint: "--tls-cert FILE --tls-key FILE"}
	}
	if err := f.paired(); err != nil {
		return nil, err
	}
	return f.TLS.Server()
}

func (f *tlsFiles) paired() error {
	if (f.Cert == "") != (f.Key == "") {
		return &usageError{msg: "a certificate and its key belong together", hint: "--tls-cert FILE --tls-key FILE"}
	}
	return nil
}
