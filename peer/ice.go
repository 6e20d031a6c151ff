package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/pion/webrtc/v4"
)

// maxICE is how many servers of an answer are used, and how many URLs of one.
const maxICE = 8

// ICEServersOf is for Options.ICEServers: it asks a Starling server, such as https://starling.example.org, for the STUN and
// TURN servers that it gives to browsers (docs/relay.md). client, where the server is one that a link has named, is one that
// goes no nearer than a link may lead; nil is http.DefaultClient.
func ICEServersOf(server string, client *http.Client) func(context.Context) ([]webrtc.ICEServer, error) {
	if client == nil {
		client = http.DefaultClient
	}
	at := strings.TrimSuffix(server, "/") + "/api/ice"
	return func(ctx context.Context) ([]webrtc.ICEServer, error) {
		list, err := askICE(ctx, at, client)
		if err != nil {
			return nil, fmt.Errorf("asking %s for STUN and TURN servers: %w", at, err)
		}
		return list, nil
	}
}

func askICE(ctx context.Context, at string, client *http.Client) (list []webrtc.ICEServer, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	}
	var answer struct {
		ICEServers []struct {
			URLs                 urls
			Username, Credential string
		}
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&answer); err != nil {
		return nil, err
	}
	for _, one := range answer.ICEServers[:min(maxICE, len(answer.ICEServers))] {
		urls := one.URLs[:min(maxICE, len(one.URLs))]
		list = append(list, webrtc.ICEServer{URLs: urls, Username: one.Username, Credential: one.Credential})
	}
	return list, nil
}

// urls are a string, or several.
type urls []string

func (u *urls) UnmarshalJSON(text []byte) error {
	if text[0] == '[' {
		return json.Unmarshal(text, (*[]string)(u))
	}
	*u = make(urls, 1)
	return json.Unmarshal(text, &(*u)[0])
}
