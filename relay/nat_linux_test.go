package relay_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// What other machines run is this very program.
var roles = map[string]func(in *bufio.Scanner) error{"server": serve, "peer": meet}

const roleVariable = "STARLING_TEST_ROLE"

func play(role string) {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	if err := roles[role](in); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// program is one that runs on another machine and talks in lines.
type program struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func start(t *testing.T, on *testnet.Machine, role string, args ...string) *program {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	on.Start(cmd)
	p := &program{t, in, bufio.NewScanner(out)}
	p.out.Buffer(nil, 1<<20)
	return p
}

func (p *program) say(line string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) hear() string {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatalf("it ended: %v", p.out.Err())
	}
	return p.out.Text()
}

// serve is `starling serve` with its defaults.
func serve(in *bufio.Scanner) error {
	config := testnet.Config()
	config.Addr = ":8080"
	config.Relay = httpd.Relay{Enabled: true, RelayMaxAllocations: 100, RelayMaxAllocationsPerAddress: 10, RelayRate: 1e7, RelayTotalRate: 1e7}
	server, err := httpd.Listen(config, testnet.Files(), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- server.Serve(ctx) }()
	fmt.Println("ready")
	in.Scan()
	stop()
	return <-served
}

// meet makes a link as a browser does, with those servers that begin with one of the words. The first line that it
// hears is an offer, or empty when it shall make one; it says offer or answer, hears an answer, then says how they met.
func meet(in *bufio.Scanner) error {
	servers, err := ask(os.Args[1], strings.Split(os.Args[2], " "))
	if err != nil {
		return err
	}
	var engine webrtc.SettingEngine
	// Those who shall not meet need not try for long.
	patience := 30 * time.Second
	if os.Args[3] == "true" {
		patience = 3 * time.Second
	}
	engine.SetICETimeouts(time.Second, patience-time.Second, 200*time.Millisecond)
	engine.SetRelayAcceptanceMinWait(0)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(engine)).NewPeerConnection(webrtc.Configuration{ICEServers: servers})
	if err != nil {
		return err
	}
	defer func() { _ = pc.Close() }()
	result := make(chan string, 1)
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateFailed {
			result <- "failed"
		}
	})
	negotiated, id := true, uint16(0)
	channel, err := pc.CreateDataChannel("wire", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
	if err != nil {
		return err
	}
	channel.OnOpen(func() { _ = channel.SendText("hello") })
	channel.OnMessage(func(m webrtc.DataChannelMessage) {
		pair, err := pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
		if err != nil {
			result <- err.Error()
			return
		}
		result <- fmt.Sprintf("%s from %s by %s", m.Data, pair.Remote.Typ, pair.Local.Typ)
	})

	if !in.Scan() {
		return errors.New("nobody is there")
	}
	answering := in.Text() != ""
	var description webrtc.SessionDescription
	if answering {
		if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: decode(in.Text())}); err != nil {
			return err
		}
		description, err = pc.CreateAnswer(nil)
	} else {
		description, err = pc.CreateOffer(nil)
	}
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(description); err != nil {
		return err
	}
	<-gathered
	fmt.Println(encode(pc.LocalDescription().SDP))
	if !answering {
		if !in.Scan() {
			return errors.New("no answer")
		}
		if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: decode(in.Text())}); err != nil {
			return err
		}
	}
	fmt.Println(<-result)
	in.Scan() // until the other has heard too
	return nil
}

func encode(sdp string) string {
	line, _ := json.Marshal(sdp)
	return string(line)
}

func decode(line string) (sdp string) {
	_ = json.Unmarshal([]byte(line), &sdp)
	return sdp
}

// ask gets the servers from /api/ice.
func ask(page string, kinds []string) (servers []webrtc.ICEServer, err error) {
	response, err := http.Get(page + "/api/ice")
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		ICEServers []struct{ URLs, Username, Credential string }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	for _, s := range answer.ICEServers {
		for _, kind := range kinds {
			if strings.HasPrefix(s.URLs, kind+":") || strings.HasSuffix(s.URLs, "="+kind) {
				servers = append(servers, webrtc.ICEServer{URLs: []string{s.URLs}, Username: s.Username, Credential: s.Credential})
			}
		}
	}
	return servers, nil
}

// Two peers behind NATs, and what of the server they need to meet.
func TestNATs(t *testing.T) {
	internet := testnet.NewInternet(t)
	machine := internet.Machine()
	server := start(t, machine, "server")
	if said := server.hear(); said != "ready" {
		t.Fatal(said)
	}
	page := "http://" + machine.Addr.String() + ":8080"
	ordinary := [2]*testnet.Machine{internet.Behind(testnet.Ordinary), internet.Behind(testnet.Ordinary)}
	symmetric := [2]*testnet.Machine{internet.Behind(testnet.Symmetric), internet.Behind(testnet.Symmetric)}
	for _, c := range []struct {
		name     string
		machines [2]*testnet.Machine
		servers  string
		relayed  bool
		fails    bool
	}{
		{name: "ordinary NATs, nothing", machines: ordinary, servers: "none", fails: true},
		{name: "ordinary NATs, STUN", machines: ordinary, servers: "stun"},
		{name: "symmetric NATs, STUN", machines: symmetric, servers: "stun", fails: true},
		{name: "symmetric NATs, TURN by UDP", machines: symmetric, servers: "stun udp", relayed: true},
		{name: "symmetric NATs, TURN by TCP", machines: symmetric, servers: "tcp", relayed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fails := fmt.Sprint(c.fails)
			a, b := start(t, c.machines[0], "peer", page, c.servers, fails), start(t, c.machines[1], "peer", page, c.servers, fails)
			a.say("")
			b.say(a.hear())
			a.say(b.hear())
			for _, p := range []*program{a, b} {
				met := p.hear()
				switch {
				case c.fails && met != "failed":
					t.Errorf("they met: %s", met)
				case !c.fails && (!strings.HasPrefix(met, "hello") || c.relayed != strings.Contains(met, "relay")):
					t.Errorf("%s, relayed: want %v", met, c.relayed)
				}
			}
			a.say("")
			b.say("")
		})
	}
}
