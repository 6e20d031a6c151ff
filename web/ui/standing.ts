/** Where a transfer stands, in words: made of the engine's state, and of what the browser may do. */
import type { TorrentState } from '../engine/types.ts'
import { isFull, keepsNothing } from './full.ts'
import { keptHere } from './lasting.ts'
import type { Reach } from './reach.ts'
import type { Remaining } from './remaining.ts'
import { bytes } from './words.ts'

export interface Standing {
  /** One or two words: "Finding", "Connecting", "43 %", "Saved". */
  phase: string
  /** What is going on. */
  text: string
  /** How long it still takes; '' while nobody can tell. */
  time?: string
  /** 0 to 1; undefined while it is unknown. */
  share: number | undefined
  /** Nothing has moved for a while: why, and what can be done. */
  cause?: Cause
}

export interface Cause {
  title: string
  text: string
  /** Nobody can help by trying again: it waits for the network, or for another browser. */
  idle?: true
}

/** Why a link led to nothing. */
export interface Failure {
  title: string
  text: string
  /** Trying again may help. */
  again: boolean
}

/** Milliseconds without progress after which the cause is told. */
export const patience = 15_000

/** The same where the cause is the device's own, which needs no waiting for. */
const ownPatience = 1000

/** What the device itself is the cause of. */
const own = (reach: Reach): boolean => reach === 'offline' || reach === 'barred'

const showIt = 'Try again later, or stop hiding it, under “What leaves this device”.'

const barred = 'WebRTC is switched off here, by a setting or by an extension.'

/** idle: milliseconds since something moved. full: the device was found to be. */
export function receiving(
  state: TorrentState | undefined,
  idle: number,
  reach: Reach,
  full = false,
  remaining?: Remaining,
): Standing {
  if (state?.status === 'paused') {
    const left = state.ready && !state.done ? `${bytes(Math.max(0, state.length - state.downloaded))} to go. ` : ''
    const text = `${left}Nothing comes or goes until you resume it.`
    return { phase: 'Paused', text, share: state.progress }
  }
  if (full && state?.ready) {
    return {
      phase: `${Math.floor(state.progress * 100)} %`,
      text: state.done ? 'It is not kept yet.' : `${bytes(Math.max(0, state.length - state.downloaded))} to go.`,
      share: state.progress,
      cause: {
        title: 'This device is full',
        text:
          'What is here can be played and downloaded, but some of it may be gone when this page is closed. ' +
          'Make some room, then try again.',
      },
    }
  }
  if (state?.done) return { phase: 'Saved', text: keptHere('It is'), share: 1 }
  const cause = idle >= (own(reach) ? ownPatience : patience) ? causeOf(state, reach) : undefined
  if (state?.ready && (state.progress > 0 || state.status === 'downloading')) {
    const left = Math.max(0, state.length - state.downloaded)
    const speed = state.downloadSpeed > 0 ? `, ${bytes(state.downloadSpeed)} per second` : ''
    const how = state.peers.length ? speed : '. Looking for whoever has the rest.'
    return {
      phase: `${Math.floor(state.progress * 100)} %`,
      text: `${bytes(left)} to go${how}`,
      time: remaining?.tell(left, state.peers.length ? state.downloadSpeed : 0),
      share: state.progress,
      cause,
    }
  }
  if (state?.status === 'connecting' || state?.status === 'downloading') {
    return {
      phase: 'Connecting',
      text: `The sender was found; a ${reach === 'hidden' ? 'connection through the server' : 'direct connection'} is being made.`,
      share: undefined,
      cause,
    }
  }
  return { phase: 'Finding', text: 'Looking for whoever has it.', share: undefined, cause }
}

/** How it is read aloud: what never stands still is told at every quarter. */
export const spoken = ({ phase, text, share = 1 }: Pick<Standing, 'phase' | 'text' | 'share'>): string =>
  share < 1 ? quarters(share) || 'It is coming.' : `${phase}. ${text}`

/** For the window's title: how far it is can be read from another tab. share: 0 to 1, undefined while it is unknown. */
export const titled = (name: string, share = 1): string =>
  share < 1 ? `${Math.floor(share * 100)} % · ${name}` : name

/** '' for the first of them. share: 0 to 1. */
export const quarters = (share: number): string => {
  const percent = Math.floor(share * 4) * 25
  return percent ? `${percent} % is here.` : ''
}

function causeOf(state: TorrentState | undefined, reach: Reach): Cause {
  if (reach === 'offline') {
    return { title: 'You are offline', text: 'It goes on by itself once you are connected again.', idle: true }
  }
  if (reach === 'barred') {
    return {
      idle: true,
      title: 'This browser makes no direct connections',
      text: `${barred} Switch it on and load this page again, or open the link in another browser.`,
    }
  }
  const { trackers = [], peers = [] } = state ?? {}
  if (!peers.length && trackers.length && trackers.every((tracker) => tracker.status === 'failed')) {
    return {
      title: 'The server that introduces peers cannot be reached',
      text: 'It may be down, or your network may block it. It is tried again by itself.',
    }
  }
  if (!peers.length && (state?.status === 'connecting' || blocked(state))) return block(reach)
  if (!peers.length && reach === 'hidden' && unasked(state)) {
    return {
      title: 'Nobody is found through this server',
      text: `Your network address is hidden, so the other servers that the link names are not asked. ${showIt}`,
    }
  }
  if (!peers.length) {
    return {
      title: 'The sender’s page is closed or offline',
      text: 'Ask them to open it. Keep this page open: it goes on by itself.',
    }
  }
  return {
    title: 'The connection stands, but nothing comes',
    text: 'The sender’s page may be asleep: ask them to bring it to the front. Keep this page open.',
  }
}

/** The link names trackers that are not asked. */
const unasked = ({ magnetURI = '', trackers = [] }: Partial<TorrentState> = {}): boolean =>
  new URLSearchParams(magnetURI.split('?')[1]).getAll('tr').length > trackers.length

/** Others were found, and no link to them came about. */
const blocked = ({ linksTried = 0, linksFailed = 0 }: Partial<TorrentState> = {}, times = 1): boolean =>
  linksFailed >= times && linksFailed >= linksTried

/** Why, and what can be done. */
function block(reach: Reach): Cause {
  if (reach === 'apart') {
    return {
      title: 'This page may not reach devices in your network',
      text:
        'If the two of you are in the same one, allow that in the page’s settings, left of its address, and load it again. ' +
        'It is enough if one of you does.',
    }
  }
  if (reach === 'hidden') {
    return {
      title: 'No connection came about through the server',
      text: `Your network address is hidden. The server may be busy, or your network block it. ${showIt}`,
    }
  }
  const allow = reach === 'asked' ? 'If your browser asks whether this page may reach devices in your network, allow it. ' : ''
  return {
    title: 'Your network or theirs blocks the direct connection',
    text: `${allow}Try another network on either side: a phone’s hotspot instead of the office Wi-Fi, or without a VPN.`,
  }
}

/** What an error of the engine means for somebody who opened a link, or shares something. again: trying again may help. */
export function failure(error: unknown, wish: 'receive' | 'share' = 'receive'): Failure {
  const code = isFull(error) ? 'no-space' : (error as { code?: unknown } | undefined)?.code
  // Only the engine's own messages are words for people.
  const message = typeof code === 'string' && error instanceof Error ? error.message : ''
  if (keepsNothing(error)) {
    return {
      title: 'This browser keeps nothing for this page',
      text: 'Private windows and some privacy settings switch its storage off. Open the link in an ordinary window.',
      again: false,
    }
  }
  switch (code) {
    case 'bad-link':
      return {
        title: 'This link is not complete',
        text: 'A part of it was lost on the way. Ask for it again, and copy all of it.',
        again: false,
      }
    case 'wrong-key':
      return {
        title: 'The key in this link is wrong',
        text: 'It is there, but this link does not open it. Ask for the link again, and copy all of it.',
        again: false,
      }
    case 'no-space':
      return {
        title: 'This device is full',
        text: 'Make some room and try again. What is already here stays.',
        again: true,
      }
    case 'unsupported':
      return {
        title: `This browser cannot ${wish} it`,
        text: message || 'Use a current Chrome, Edge, Firefox or Safari, over https://.',
        again: false,
      }
    case 'removed':
      return {
        title: 'This was removed',
        text: 'It was deleted here, perhaps in another tab. Try again to fetch it anew.',
        again: true,
      }
    case 'missing':
      return { title: 'It is not on this device any more', text: message, again: false }
    case 'too-large':
      return { title: 'This is too much', text: message, again: false }
    default:
      return { title: `This could not be ${wish}d`, text: message || 'Try again.', again: true }
  }
}

export interface Sending {
  text: string
  /** Others have all of it. */
  safe: boolean
  /** How long it still takes until somebody has; '' while nobody can tell. */
  time?: string
  /** How it is read aloud, where the text never stands still. */
  spoken?: string
}

/** What the one who shares sees: who has it, who is fetching. had: others that were seen to have all of it. */
export function sending(state: TorrentState, had: number, reach: Reach, remaining?: Remaining): Sending {
  const peers = state.peers.filter((peer) => peer.kind !== 'webseed')
  const fetching = peers.filter((peer) => peer.progress < 1)
  const seeders = Math.max(0, ...state.trackers.map((tracker) => tracker.seeders ?? 0)) - 1
  const have = Math.max(had, peers.length - fetching.length, seeders)
  const people = (count: number, one: string, many: string) =>
    count === 1 ? `1 other ${one}` : `${count} others ${many}`
  if (fetching.length) {
    const far = Math.floor(Math.max(...fetching.map((peer) => peer.progress)) * 100)
    const speed = state.uploadSpeed > 0 ? `, ${bytes(state.uploadSpeed)} per second` : ''
    const who = `${people(fetching.length, 'is', 'are')} fetching it`
    const words = (now: string) =>
      have > 0 ? `${people(have, 'has', 'have')} it. ${now}.` : `${now}. Keep this page open.`
    // Several, or with somebody who has it, they get it from one another.
    const [only, ...others] = have ? [] : fetching
    const time = only && !others.length ? remaining?.tell((1 - only.progress) * state.length, only.uploadSpeed) : undefined
    return { text: words(`${who}: ${far} %${speed}`), spoken: words(who), time, safe: have > 0 }
  }
  if (have > 0) return { text: `${people(have, 'has', 'have')} all of it. You may close this page.`, safe: true }
  if (reach === 'offline') {
    return {
      text: 'You are offline, so nobody can fetch it yet. It goes on by itself once you are connected again.',
      safe: false,
    }
  }
  if (reach === 'barred') {
    return {
      text: `Nobody can fetch it: this browser makes no direct connections. ${barred} Switch it on and load this page again.`,
      safe: false,
    }
  }
  const unreachable = state.trackers.length && state.trackers.every((tracker) => tracker.status === 'failed')
  if (unreachable)
    return {
      text: 'The server that introduces peers cannot be reached, so nobody can find this yet. It goes on by itself.',
      safe: false,
    }
  // Somebody who left again at once is no reason yet.
  if (blocked(state, 3)) {
    const { title, text } = block(reach)
    return { text: `Somebody opened the link. ${title}. ${text}`, safe: false }
  }
  return {
    text: 'Nobody has it yet. Keep this page open until somebody does: nothing is stored in between.',
    safe: false,
  }
}
