// Announces with bittorrent-tracker's own client over all three protocols, as peers of one torrent, and prints what
// happens as JSON lines.
//   node announce.mjs ws://…/announce http://…/announce udp://…/announce
import { register } from 'node:module'

// The client loads a native WebRTC library, which is not built everywhere. No connection is made here, so it gets none.
const hooks = `export const resolve = (name, context, next) => name === 'webrtc-polyfill'
  ? { url: 'data:text/javascript,export class RTCPeerConnection {};export class RTCSessionDescription {};export class RTCIceCandidate {}', shortCircuit: true }
  : next(name, context)`
register('data:text/javascript,' + encodeURIComponent(hooks))
const { default: Client } = await import('bittorrent-tracker')

const [ws, http, udp] = process.argv.slice(2)
const infoHash = Buffer.from('0123456789abcdeffedc800001ff7f80ff00aa55', 'hex')
const say = (what) => console.log(JSON.stringify(what))

function make(name, url, port) {
  const client = new Client({ infoHash, peerId: Buffer.from(name[0].repeat(20)), announce: [url], port, wrtc: {} })
  client.name = name
  client.on('error', (error) => say({ who: name, error: error.message }))
  client.on('warning', (warning) => say({ who: name, warning: warning.message }))
  client.on('peer', (peer) => say({ who: name, peer }))
  return client
}

// The client tells of counts and peers in one go, so peers are said first.
async function update(client, call) {
  const told = new Promise((done) => client.once('update', done))
  call()
  const { complete, incomplete } = await told
  say({ who: client.name, complete, incomplete })
}

async function scrape(client) {
  const told = new Promise((done) => client.once('scrape', done))
  client.scrape()
  const { complete, incomplete, downloaded } = await told
  say({ who: client.name, complete, incomplete, downloaded })
}

const w = make('ws', ws, 1)
const h = make('http', http, 6881)
const u = make('udp', udp, 6882)
await update(w, () => w.start({ left: 0, numwant: 0 }))
await update(h, () => h.start({ left: 100 }))
await update(u, () => u.start({ left: 100 }))
await update(h, () => h.update({ left: 50 }))
await update(h, () => h.complete({ left: 0 }))
for (const client of [w, h, u]) await scrape(client)
await update(u, () => u.stop({ left: 100 }))
await update(h, () => h.stop({ left: 0 }))
await scrape(w)
for (const client of [w, h, u]) await new Promise((done) => client.destroy(done))
say({ done: true })
process.exit(0)
