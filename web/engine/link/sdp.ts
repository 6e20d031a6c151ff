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

/**
 * Resolves when the local description is worth sending: all candidates are in, or an address that strangers can
 * reach (without servers, any address) and what came shortly after it, or what is there when patience runs out. There
 * is no trickle: the tracker carries one message each way.
 */
export function gathered(pc: RTCPeerConnection, servers: boolean, patience = 3000): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer)
      pc.onicecandidate = pc.onicegatheringstatechange = null
      resolve()
    }
    let timer = setTimeout(settle, patience)
    let reachable = false
    const check = () => pc.iceGatheringState === 'complete' && settle()
    pc.onicegatheringstatechange = check
    pc.onicecandidate = ({ candidate }) => {
      if (!candidate) return settle()
      if (reachable || (servers && !/ typ (srflx|relay)/.test(candidate.candidate))) return
      reachable = true
      clearTimeout(timer)
      if (servers) timer = setTimeout(settle, 250)
      else shortly(settle)
    }
    check()
  })
}

/** Two milliseconds later, by messages to itself: a timer of a hidden page, where senders often wait, is a second late. */
function shortly(then: () => void): void {
  const { port1, port2 } = new MessageChannel()
  const until = performance.now() + 2
  port1.onmessage = () => {
    if (performance.now() < until) return port2.postMessage(0)
    port1.close()
    then()
  }
  port2.postMessage(0)
}
