// What bench/rows/tracker.ts compares with: bittorrent-tracker as its own command starts it. Prints its announce URL.
import Server from 'bittorrent-tracker/server'

const server = new Server({ http: false, udp: false, ws: true, stats: false })
server.on('error', (error) => console.error(error))
server.listen(0, '127.0.0.1', () => console.log(`ws://127.0.0.1:${server.ws.address().port}`))
