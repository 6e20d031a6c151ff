import { clock } from '../clock.ts'

const longest = 64 << 10

/** Whether a stranger's session description is worth a browser's while: one section, for data channels, no media. */
export function plausible(sdp: unknown): sdp is string {
  return (
    typeof sdp === 'string' &&
    sdp.length <= longest &&
    sdp.startsWith('v=0') &&
    sdp.match(/^m=.*/gm)?.length === 1 &&
    /^m=application \d+ \S*(DTLS|SCTP)/m.test(sdp)
  )
}

/** What this machine runs itself tells it nothing of its addresses that it does not know. */
const near = /^stun:(localhost|127\.|\[::1\])/

/**
 * Resolves when the local description is worth sending: all candidates are in, or an address that strangers can
 * reach (without servers, any address) and what came shortly after it, or what is there when patience runs out. A
 * relay's address is the last to come of those that matter. There is no trickle: the tracker carries one message each
 * way.
 */
export function gathered(pc: RTCPeerConnection, servers: readonly RTCIceServer[], patience = 3000): Promise<void> {
  const far = servers.some(({ urls }) => [urls].flat().some((url) => !near.test(url)))
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(settle, patience)
    const check = () => pc.iceGatheringState === 'complete' && settle()
    pc.onicegatheringstatechange = check
    pc.onicecandidate = ({ candidate }) => {
      if (!candidate) return settle()
      const [, type] = / typ (\w+)/.exec(candidate.candidate) ?? []
      if (!far || type === 'relay') {
        pc.onicecandidate = null
        shortly(settle)
      } else if (type === 'srflx') setTimeout(settle, 250)
    }
    check()
  })
}

/** Two milliseconds later, by messages to itself: a timer of a hidden page, where senders often wait, is a second late. */
function shortly(then: () => void): void {
  const { port1, port2 } = new MessageChannel()
  const until = clock() + 2
  port1.onmessage = () => {
    if (clock() < until) return port2.postMessage(0)
    port1.close()
    then()
  }
  port2.postMessage(0)
}
