package link

import "strings"

const (
	longestSDP = 64 << 10
	// maxCandidates bounds how many addresses a stranger can have us knock at.
	maxCandidates = 64
)

// plausible says whether a stranger's session description is worth pion's while: one section, for data channels, no
// media (RFC 8841).
func plausible(sdp string) bool {
	if len(sdp) > longestSDP || !strings.HasPrefix(sdp, "v=0") {
		return false
	}
	sections, candidates, data := 0, 0, false
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, "a=candidate") {
			candidates++
		}
		if !strings.HasPrefix(line, "m=") {
			continue
		}
		sections++
		fields := strings.Fields(line)
		data = len(fields) > 2 && fields[0] == "m=application" && (strings.Contains(fields[2], "DTLS") || strings.Contains(fields[2], "SCTP"))
	}
	return sections == 1 && data && candidates <= maxCandidates
}
