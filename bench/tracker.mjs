// What bench/rows/tracker.ts compares with: bittorrent-tracker as its own command starts it, by WebSocket, or by HTTP with
// the argument http. Prints its URL.
import Server from 'bittorrent-tracker/server'

const kind = process.argv[2] ?? 'ws'
const server = new Server({ http: kind === 'http', udp: false, ws: kind === 'ws', stats: false })
server.on('error', (error) => console.error(error))
server.listen(0, '127.0.0.1', () => console.log(`${kind}://127.0.0.1:${server[kind].address().port}`))
