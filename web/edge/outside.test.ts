import { expect, it, vi } from 'vitest'
import { connection } from './outside.ts'

const line = (address: string, type = 'host') => `a=candidate:1 1 udp 2113937151 ${address} 51000 typ ${type} generation 0\r\n`
const around = ['v=0\r\na=ice-ufrag:10.0\r\n', 'a=sctp-port:5000\r\n'] as const

it('peers are called at addresses of the internet, and no others', async () => {
  const taken: string[] = []
  vi.stubGlobal('RTCPeerConnection', class {
    async setRemoteDescription({ type, sdp }: { type: string; sdp: string }) {
      taken.push(type, sdp)
    }
  })
  const local = [
    '0f3a-11.local', '10.1.2.3', '127.0.0.1', '169.254.1.1', '172.16.0.1', '172.31.9.9', '192.168.1.20', '100.64.0.1', '100.127.1.1',
    '::1', 'fd00::2', 'fe80::1', '::ffff:10.0.0.1',
  ]
  const far = ['198.51.100.7', '172.15.0.1', '172.32.0.1', '100.63.0.1', '100.128.0.1', '192.169.0.1', '2001:db8::1', '3fff::1']
  const lines = (addresses: string[]) => addresses.map((address) => line(address)).join('')
  const relayed = line('203.0.113.1', 'relay raddr 10.1.2.3 rport 9')
  await connection({}).setRemoteDescription({ type: 'offer', sdp: around.join(lines(local) + relayed + lines(far)) })
  expect(taken).toEqual(['offer', around.join(relayed + lines(far))])
})
