package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// tlsFiles are the flags for connections to and of job servers, PEM files. None
// is plain text.
type tlsFiles struct {
	cert, key, ca string
}

func (f *tlsFiles) flags(cmd *cobra.Command, cert, ca string) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.cert, "tls-cert", "", "`file` with the certificate "+cert)
	flags.StringVar(&f.key, "tls-key", "", "`file` with its private key")
	flags.StringVar(&f.ca, "tls-ca", "", "`file` with the authorities "+ca)
}

// clientFlags are those of who connects to a job server.
func (f *tlsFiles) clientFlags(cmd *cobra.Command) {
	f.flags(cmd, "to show to job servers", "of their certificates; one of these files makes it TLS")
}

// client is nil without files. The server has to have a certificate of the
// authorities, those of this machine if none are named.
func (f *tlsFiles) client() (*tls.Config, error) {
	if *f == (tlsFiles{}) {
		return nil, nil
	}
	config := &tls.Config{}
	if err := f.certificate(config); err != nil {
		return nil, err
	}
	var err error
	config.RootCAs, err = f.authorities()
	return config, err
}

// server is nil without files. With authorities, clients have to have a
// certificate of theirs.
func (f *tlsFiles) server() (*tls.Config, error) {
	if *f == (tlsFiles{}) {
		return nil, nil
	}
	if f.cert == "" {
		return nil, &usageError{msg: "a TLS server without a certificate", hint: "--tls-cert FILE --tls-key FILE"}
	}
	config := &tls.Config{}
	if err := f.certificate(config); err != nil {
		return nil, err
	}
	var err error
	if config.ClientCAs, err = f.authorities(); config.ClientCAs != nil {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, err
}

func (f *tlsFiles) certificate(config *tls.Config) error {
	if (f.cert == "") != (f.key == "") {
		return &usageError{msg: "a certificate and its key belong together", hint: "--tls-cert FILE --tls-key FILE"}
	}
	if f.cert == "" {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", f.cert, f.key, err)
	}
	config.Certificates = []tls.Certificate{cert}
	return nil
}

func (f *tlsFiles) authorities() (*x509.CertPool, error) {
	if f.ca == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(f.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in it", f.ca)
	}
	return pool, nil
}
