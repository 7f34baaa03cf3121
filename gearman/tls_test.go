package gearman_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"revstamp/gearman"
	"revstamp/gearman/jobserver"
)

// An authority signs the certificates of a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir(), pool: x509.NewCertPool()}
	a.cert, a.key = a.sign("ca", &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.pool.AddCert(a.cert)
	return a
}

// sign writes a certificate and its key to name.crt and name.key.
func (a *authority) sign(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(int64(len(name)))
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".crt", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", private)
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// listen starts a job server that asks for certificates of the authority.
func (a *authority) listen() (addr string) {
	a.t.Helper()
	cert, err := tls.LoadX509KeyPair(a.path("server.crt"), a.path("server.key"))
	if err != nil {
		a.t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: a.pool, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	s, served := new(jobserver.Server), make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	a.t.Cleanup(func() {
		s.Close()
		<-served
	})
	return l.Addr().String()
}

// Client, worker and admin speak TLS, show their certificate and look at the
// server's.
func TestTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.sign("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	a.sign("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	addr := a.listen()
	cert, err := tls.LoadX509KeyPair(a.path("client.crt"), a.path("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{cert}}

	w := &gearman.Worker{Servers: []string{addr}, TLS: config}
	w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) { return j.Workload, nil }))
	serveWorker(t, w)
	c := &gearman.Client{Servers: []string{addr}, TLS: config}
	defer c.Close()
	workload := make([]byte, 1<<20)
	result, err := c.Do(deadline(t), gearman.Task{Function: "f", Workload: workload})
	if err != nil || len(result.Data) != len(workload) {
		t.Errorf("Do = %d bytes, %v, want %d", len(result.Data), err, len(workload))
	}
	if version, err := (&gearman.Admin{Addr: addr, TLS: config}).Version(deadline(t)); err != nil || version == "" {
		t.Errorf("Version = %q, %v", version, err)
	}
	for name, config := range map[string]*tls.Config{
		"unknown authority": {Certificates: []tls.Certificate{cert}},
		"other name":        {RootCAs: a.pool, Certificates: []tls.Certificate{cert}, ServerName: "elsewhere"},
		"no certificate":    {RootCAs: a.pool},
	} {
		stranger := &gearman.Client{Servers: []string{addr}, TLS: config}
		defer stranger.Close()
		if err := stranger.Echo(deadline(t), addr, nil); err == nil {
			t.Errorf("Echo with %s: no error", name)
		}
	}
}
