export const greet = (name: string) => `hello ${name}`

export const complain = () => console.error('as expected')

/** What kind of track the microphone gives. */
export async function hears(): Promise<string> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true })
  const [track] = stream.getAudioTracks()
  track?.stop()
  return track?.kind ?? 'nothing'
}

/** Both ends in one page: enough to see that this browser can make a link here. */
export async function loopback(): Promise<string> {
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()]
  a.onicecandidate = ({ candidate }) => void (candidate && b.addIceCandidate(candidate))
  b.onicecandidate = ({ candidate }) => void (candidate && a.addIceCandidate(candidate))
  const channel = a.createDataChannel('wire')
  const heard = new Promise<string>((resolve) => {
    b.ondatachannel = (event) => (event.channel.onmessage = ({ data }) => resolve(String(data)))
  })
  channel.onopen = () => channel.send('over the link')
  await a.setLocalDescription(await a.createOffer())
  await b.setRemoteDescription(a.localDescription!)
  await b.setLocalDescription(await b.createAnswer())
  await a.setRemoteDescription(b.localDescription!)
  const message = await heard
  a.close()
  b.close()
  return message
}
