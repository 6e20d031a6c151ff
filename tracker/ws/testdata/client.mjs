// Announces with the tracker client that webtorrent uses, as two peers, and prints what happens as JSON lines.
//   node client.mjs ws://host:port/announce
import { register } from 'node:module'

// The client loads a native WebRTC library, which is not built everywhere. No connection is made here, so it gets none.
const hooks = `export const resolve = (name, context, next) => name === 'webrtc-polyfill'
  ? { url: 'data:text/javascript,export class RTCPeerConnection {};export class RTCSessionDescription {};export class RTCIceCandidate {}', shortCircuit: true }
  : next(name, context)`
register('data:text/javascript,' + encodeURIComponent(hooks))
const { default: Client } = await import('bittorrent-tracker')

const url = process.argv[2]
const infoHash = Buffer.from('0123456789abcdeffedc800001ff7f80ff00aa55', 'hex')
const say = (what) => console.log(JSON.stringify(what))

/** As much of a WebRTC peer as signalling sees: makes an offer, or answers one. */
function peers(client) {
  for (const tracker of client._trackers) {
    tracker._createPeer = ({ initiator } = {}) => {
      const once = {}
      const peer = {
        id: null,
        once(event, f) {
          once[event] = f
          if (event === 'signal' && initiator) queueMicrotask(() => f({ type: 'offer', sdp: `offer of ${client.peerId}\r\n` }))
        },
        on() {},
        signal(got) {
          say({ who: client.name, got: got.type, sdp: got.sdp, from: peer.id })
          if (got.type === 'offer') once.signal({ type: 'answer', sdp: `answer of ${client.peerId}\r\n` })
          else client.answered()
        },
        destroy() {},
      }
      return peer
    }
  }
}

function make(name, letter) {
  const client = new Client({ infoHash, peerId: Buffer.from(letter.repeat(20)), announce: [url], port: 6881, wrtc: {} })
  client.name = name
  client.on('error', (error) => say({ who: name, error: error.message }))
  client.on('warning', (warning) => say({ who: name, warning: warning.message }))
  peers(client)
  return client
}

const update = (client, call) =>
  new Promise((done) => {
    client.once('update', ({ complete, incomplete, interval }) => {
      say({ who: client.name, complete, incomplete, interval: interval >= 108 && interval <= 132 })
      done()
    })
    call()
  })

// Both use one socket, as the client pools them by URL.
const seeder = make('seeder', 's')
const leecher = make('leecher', 'l')
await update(seeder, () => seeder.start({ left: 0 }))
const answered = new Promise((done) => (leecher.answered = done))
await update(leecher, () => leecher.start({ left: 100, numwant: 3 }))
await answered
await update(leecher, () => leecher.complete({ left: 0, downloaded: 100 }))
const scraped = new Promise((done) => leecher.once('scrape', done))
leecher.scrape()
const { complete, incomplete, downloaded } = await scraped
say({ who: 'leecher', complete, incomplete, downloaded })
await update(seeder, () => seeder.stop())
await new Promise((done) => seeder.destroy(done))
await new Promise((done) => leecher.destroy(done))
say({ done: true })
process.exit(0)
