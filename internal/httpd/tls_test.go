package httpd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// certificate writes a new self-signed one, with a serial number by which to tell it, and a modification time.
func certificate(t *testing.T, certFile, keyFile string, serial int64, modified time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
}

// hangUp has servers of this program look at their files. Windows has no such signal; they look every five seconds too.
func hangUp(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(syscall.SIGHUP); err != nil && runtime.GOOS != "windows" {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	config := testnet.Config()
	config.TLSCert, config.TLSKey = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	certificate(t, config.TLSCert, config.TLSKey, 1, time.Now().Add(-time.Hour))
	url := testnet.Serve(t, config, testnet.Files())
	if !strings.HasPrefix(url, "https://localhost:") {
		t.Fatalf("the URL is %s", url)
	}
	response, _ := testnet.Ask(t, "GET", url+"/")
	if response.ProtoMajor != 2 {
		t.Errorf("%s", response.Proto)
	}
	// At localhost it would hold for other programs too.
	for host, want := range map[string]string{"localhost:8443": "", "127.0.0.1": "", "memos.example.org": "max-age=31536000"} {
		response, _ := testnet.Ask(t, "GET", url+"/", "Host", host)
		if got := response.Header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: Strict-Transport-Security %q, want %q", host, got, want)
		}
	}
	serial := func() int64 {
		response, _ := testnet.Ask(t, "GET", url+"/")
		return response.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("the certificate is number %d", got)
	}
	certificate(t, config.TLSCert, config.TLSKey, 2, time.Now())
	hangUp(t)
	testnet.Until(t, "the certificate is the new one", func() bool { return serial() == 2 })

	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	socket := testnet.Connect(t, conn)
	socket.Send(`{"action":"announce","info_hash":"aaaaaaaaaaaaaaaaaaaa","peer_id":"bbbbbbbbbbbbbbbbbbbb"}`)
	if m := socket.Next(); m["incomplete"] != 1.0 {
		t.Errorf("announce over TLS: %v", m)
	}
}
