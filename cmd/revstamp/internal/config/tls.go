package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLS are the PEM files for connections to job servers, or of one. The zero value
// is plain text.
type TLS struct {
	CA        string // authorities of the other side
	Cert, Key string // what this side shows
}

// Client is nil for plain text. The server has to have a certificate of the
// authorities, those of this machine if none are named.
func (t TLS) Client() (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil
	}
	certs, pool, err := t.read()
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: certs, RootCAs: pool}, nil
}

// Server is nil for plain text. With authorities, clients have to have a
// certificate of theirs.
func (t TLS) Server() (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil
	}
	certs, pool, err := t.read()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: certs, ClientCAs: pool}
	if pool != nil {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

func (t TLS) read() (certs []tls.Certificate, pool *x509.CertPool, err error) {
	if t.Cert != "" {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate %s with key %s: %w", t.Cert, t.Key, err)
		}
		certs = append(certs, cert)
	}
	if t.CA == "" {
		return certs, nil, nil
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, nil, err
	}
	pool = x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("%s: no certificate in it", t.CA)
	}
	return certs, pool, nil
}
