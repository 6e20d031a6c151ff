/**
 * With --no-local: other visitors are called at addresses of the internet alone. Browsers are about to ask people before a
 * page reaches a device in their own network (docs/engine.md, "Devices in one network"), and no site would have its visitors
 * asked for the sake of some images. The server has edge.js import it (edge/built.go); nobody else loads it.
 */

/** What Chromium takes for a network of one's own, or for this machine; names in .local stand for addresses there. */
const own = /\.local$|^(10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./

const outside = (address: string): boolean => (address.includes(':') ? /^[23][\da-f]{3}:/i.test(address) : !own.test(address))

/** As new RTCPeerConnection, for who is to be called: candidates (RFC 8839, section 5.1) have their address fifth. */
export function connection(configuration: RTCConfiguration): RTCPeerConnection {
  const pc = new RTCPeerConnection(configuration)
  const take = pc.setRemoteDescription.bind(pc)
  pc.setRemoteDescription = ({ type, sdp = '' }: RTCSessionDescriptionInit) =>
    take({ type, sdp: sdp.replace(/^a=candidate:(?:\S+ ){4}(\S+) .*\r?\n/gm, (line, address: string) => (outside(address) ? line : '')) })
  return pc
}
