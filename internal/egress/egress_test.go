package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestNearness(t *testing.T) {
	for text, want := range map[string]nearness{
		"8.8.8.8": internet, "2600::1": internet, "::ffff:8.8.8.8": internet,
		"10.0.0.1": network, "192.168.1.1": network, "100.64.0.1": network, "fd00::1": network, "::ffff:10.0.0.1": network,
		"127.0.0.1": machine, "127.9.9.9": machine, "::1": machine, "0.0.0.0": machine, "::": machine, "::ffff:127.0.0.1": machine,
		"169.254.169.254": inmost, "::ffff:169.254.169.254": inmost, "fe80::1": inmost, "fe80::1%eth0": inmost,
		"fd00:ec2::254": inmost, "fd00:ec2::254%eth0": inmost, "100.100.100.200": inmost, "::ffff:100.100.100.200": inmost, "224.0.0.1": inmost, "ff02::1": inmost, "255.255.255.255": inmost,
	} {
		if got := nearnessOf(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

// Of WebSockets the URL tells, however it is written, before anything is connected to.
func TestWebSockets(t *testing.T) {
	w := New("ws://127.0.0.1:9/own", "ws://169.254.0.9/own")
	defer w.Close()
	for tracker, want := range map[string]bool{
		"wss://t.example/any?x=y": true, "ws://10.0.0.1/any": true, "ws://127.0.0.1/announce": true, "ws://localhost:8000": true,
		"ws://127.0.0.1:9/any": true, "ws://169.254.0.9:80/any": true, "ws://127.0.0.1/any": false, "WS://LOCALHOST/any": false, "ws://[::1]/announce?x": false,
		"ws://me@localhost/announce": false, "ws://169.254.169.254/announce": false, "ws://[fd00:ec2::254]/announce": false,
	} {
		if got := w.Leads(tracker); got != want {
			t.Errorf("%s: %t", tracker, got)
		}
	}
}

// elsewhere is a connection that leads elsewhere, as far as anybody is told.
type elsewhere struct {
	net.Conn
	at net.Addr
}

func (e elsewhere) RemoteAddr() net.Addr { return e.at }

// A redirect leads no nearer than whoever gave it is, be it to what the program itself names.
func TestRedirects(t *testing.T) {
	t.Setenv("HTTP_PROXY", "")
	t.Setenv("http_proxy", "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.FormValue("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
		}
	}))
	defer server.Close()
	w := New("http://10.0.0.9/")
	defer w.Close()
	w.Connect = func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
		if err := d.Control(network, address, nil); err != nil {
			return nil, err
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		return elsewhere{conn, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}, err
	}
	for _, c := range []struct {
		hops []string
		ok   bool
	}{
		{[]string{"203.0.113.1", "198.51.100.1"}, true},
		{[]string{"203.0.113.1", "10.0.0.1"}, false},
		{[]string{"203.0.113.1", "198.51.100.1", "10.0.0.1"}, false},
		{[]string{"203.0.113.1", "10.0.0.9"}, false},
		{[]string{"203.0.113.1", "127.0.0.1"}, false},
		{[]string{"10.0.0.1", "10.0.0.2", "203.0.113.1"}, true},
		{[]string{"10.0.0.1", "203.0.113.1", "10.0.0.1"}, false},
		{[]string{"10.0.0.1", "127.0.0.1"}, false},
		{[]string{"10.0.0.9"}, true},
		{[]string{"127.0.0.1", "127.0.0.1"}, true},
		{[]string{"0.0.0.0"}, false},
		{[]string{"169.254.169.254"}, false},
	} {
		to := ""
		for i := len(c.hops) - 1; i >= 0; i-- {
			to = "http://" + c.hops[i] + "/?to=" + url.QueryEscape(to)
		}
		response, err := w.Given().Get(to)
		if err == nil {
			_ = response.Body.Close()
		}
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrNear) {
			t.Errorf("by way of %v: %v", c.hops, err)
		}
	}
}

// A proxy looks names up itself. What a URL tells, and where it redirects, is minded all the same.
func TestProxy(t *testing.T) {
	const inside = "STARLING_TEST_PROXY"
	if os.Getenv(inside) == "" { // Go reads this once in a process
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if to := r.FormValue("to"); to != "" {
				http.Redirect(w, r, to, http.StatusFound)
				return
			}
			_, _ = io.WriteString(w, "by way of the proxy")
		}))
		defer proxy.Close()
		c := exec.Command(os.Args[0], "-test.run=^TestProxy$")
		at := strings.Replace(proxy.URL, "127.0.0.1", "0.0.0.0", 1) // leads there, and does not look like it
		c.Env = append(os.Environ(), inside+"="+at, "HTTP_PROXY="+at, "NO_PROXY=", "no_proxy=")
		if said, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, said)
		}
		return
	}
	w := New("http://10.0.0.9/", "http://169.254.0.9/")
	defer w.Close()
	for _, c := range []struct {
		client *http.Client
		url    string
		ok     bool
	}{
		{w.WebSeeds(), "http://seeds.example/", true},
		{w.WebSeeds(), "http://10.0.0.1/", true},
		{w.WebSeeds(), "http://169.254.169.254/", false},
		{w.Given(), "http://[fd00:ec2::254]/", false},
		{w.Given(), "http://169.254.0.9/", true},
		{w.Given(), "http://far.example/?to=http://other.example/", true},
		{w.Given(), "http://far.example/?to=http://10.0.0.1/", false},
		{w.Given(), "http://far.example/?to=http://10.0.0.9/", false},
	} {
		response, err := c.client.Get(c.url)
		if err != nil {
			if c.ok || !errors.Is(err, ErrNear) {
				t.Errorf("%s: %v", c.url, err)
			}
			continue
		}
		said, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if !c.ok || string(said) != "by way of the proxy" {
			t.Errorf("%s says %q", c.url, said)
		}
	}

	// Whoever dials by himself asks where the proxy is first.
	at := strings.TrimPrefix(os.Getenv(inside), "http://")
	if conn, err := w.Dial(t.Context(), "tcp", at); err == nil {
		_ = conn.Close()
		t.Error("any link leads there")
	}
	via, err := w.Proxy(httptest.NewRequest(http.MethodGet, "http://tracker.example/", nil))
	if err != nil || via == nil || via.Host != at {
		t.Fatalf("by way of %v, %v", via, err)
	}
	conn, err := w.Dial(t.Context(), "tcp", via.Host)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
