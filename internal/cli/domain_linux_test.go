package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// --domain gets a certificate from an authority that others wrote, on an internet of its own; after a restart it still
// has it, though the authority is gone, and so has a site at its place. Where none comes, the log says so.
func TestDomain(t *testing.T) {
	for _, program := range []string{"pebble", "pebble-challtestsrv"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: certificates come from Debian's pebble, and %v", err)
		}
	}
	internet := testnet.NewInternet(t)
	authority, here := internet.Machine(), internet.Machine()
	api, roots, environment := startAuthority(t, authority, here.Addr)

	const name = "memos.example"
	dir := t.TempDir()
	start := func(command ...string) *exec.Cmd {
		command = append(command, "--domain", name, "--acme-ca", api, "--cert-dir", filepath.Join(dir, "certificates"))
		cmd := exec.Command("starling", command...)
		cmd.Env = append(append(os.Environ(), environment...), "XDG_DATA_HOME="+dir)
		cmd.Stderr = t.Output()
		here.Start(cmd)
		return cmd
	}
	client := visitor(here, netip.AddrPortFrom(here.Addr, 443), name, roots)

	server := start("serve")
	testnet.UntilRight(t, "there is a page over HTTPS", func() error {
		answer, err := client.Get("https://" + name + "/healthz")
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %s", answer.Status)
		}
		return nil
	})
	plain := visitor(here, netip.AddrPortFrom(here.Addr, 80), name, roots)
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := plain.Get("http://" + name + "/m?x=1")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if to := answer.Header.Get("Location"); answer.StatusCode != http.StatusMovedPermanently || to != "https://"+name+"/m?x=1" {
		t.Errorf("port 80 answers %s, Location %q", answer.Status, to)
	}

	authority.Plug(false)
	for _, next := range [][]string{{"serve"}, {"edge", t.TempDir(), "--cache-dir", filepath.Join(dir, "edge")}} {
		_ = server.Process.Signal(os.Interrupt)
		if err := server.Wait(); err != nil {
			t.Errorf("it ended with %v", err)
		}
		server = start(next...)
		client.CloseIdleConnections()
		testnet.UntilRight(t, next[0]+" has the certificate that was kept", func() error {
			answer, err := client.Get("https://" + name + "/healthz")
			if err == nil {
				_ = answer.Body.Close()
			}
			return err
		})
	}

	lost := exec.Command("starling", "serve", "--domain", name, "--acme-ca", "https://127.0.0.1:1/dir", "--cert-dir", t.TempDir(), "--addr", "127.0.0.1:0")
	said, err := lost.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	here.Start(lost)
	for lines := bufio.NewScanner(said); ; {
		if !lines.Scan() {
			t.Fatal("nobody is told that there is no certificate")
		}
		if strings.Contains(lines.Text(), "no certificate yet") && strings.Contains(lines.Text(), "127.0.0.1:1") {
			return
		}
	}
}

// startAuthority runs pebble, for which all names lead to address. It returns its ACME directory, the roots of the
// certificates it gives, and the environment in which its own certificate is believed.
func startAuthority(t *testing.T, on *testnet.Machine, address netip.Addr) (api string, roots *x509.CertPool, environment []string) {
	t.Helper()
	dir := t.TempDir()
	at := func(port uint16) string { return netip.AddrPortFrom(on.Addr, port).String() }
	certificate, key := selfSigned(t, dir, on.Addr)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": at(14000), "managementListenAddress": at(15000), "certificate": certificate, "privateKey": key,
		"httpPort": 80, "tlsPort": 443,
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	names := exec.Command("pebble-challtestsrv", "-defaultIPv4", address.String(), "-defaultIPv6", "", "-dns01", at(8053),
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-management", at(8055))
	pebble := exec.Command("pebble", "-config", file, "-dnsserver", at(8053))
	pebble.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	for _, cmd := range []*exec.Cmd{names, pebble} {
		cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
		on.Start(cmd)
	}

	testnet.UntilRight(t, "the authority has names", func() error {
		answer, err := visitor(on, netip.AddrPortFrom(on.Addr, 8055), "", nil).Get("http://names/")
		if err == nil {
			_ = answer.Body.Close()
		}
		return err
	})
	own, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(own)
	management := visitor(on, netip.AddrPortFrom(on.Addr, 15000), on.Addr.String(), pool)
	roots = x509.NewCertPool()
	testnet.UntilRight(t, "the authority has a root", func() error {
		answer, err := management.Get("https://" + at(15000) + "/roots/0")
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		root, err := io.ReadAll(answer.Body)
		if err == nil && !roots.AppendCertsFromPEM(root) {
			err = fmt.Errorf("no root: %s, %q", answer.Status, root)
		}
		return err
	})
	return "https://" + at(14000) + "/dir", roots, []string{"SSL_CERT_FILE=" + certificate}
}

// selfSigned makes a certificate for an address, and returns the files it and its key are in.
func selfSigned(t *testing.T, dir string, address netip.Addr) (certificate, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{address.AsSlice()}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, of, of, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, kind string, b []byte) string {
		path := filepath.Join(dir, name)
		var text bytes.Buffer
		if err := pem.Encode(&text, &pem.Block{Type: kind, Bytes: b}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return file("certificate.pem", "CERTIFICATE", signed), file("key.pem", "EC PRIVATE KEY", private)
}

// visitor is a client on a machine, for which a name leads to that address.
func visitor(on *testnet.Machine, to netip.AddrPort, name string, roots *x509.CertPool) *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (conn net.Conn, err error) {
			on.Do(func() { conn, err = (&net.Dialer{}).DialContext(ctx, network, to.String()) })
			return conn, err
		},
	}}
}
