import { textOf } from '../torrent/bencode.ts'
import { cleanText } from '../torrent/names.ts'
import type { PeerState } from '../types.ts'
import type { Peer } from './peer.ts'

/** What pages are told of a peer. now: as its node has it. */
export function stateOf({ id, client, channel, downloaded, uploaded, have }: Peer, now: number): PeerState {
  return {
    id,
    client: cleanText(textOf(client) ?? '', 64),
    kind: channel.link.kind,
    downloadSpeed: downloaded.at(now),
    uploadSpeed: uploaded.at(now),
    progress: have.size ? have.count / have.size : 0,
  }
}
