/** Why a memo is not heard, as far as that can be known, and what can be done. */
import { failure } from '../ui/standing.ts'
import { formatName } from './words.ts'

export interface Sound {
  /** MIME type. */
  type: string
  /** The browser knows the format. */
  known: boolean
  /** Its bytes are on this device, or still on their way. */
  there: boolean
}

export interface Unplayable {
  text: string
  /** Another program may play it. */
  elsewhere: boolean
}

/** Of MediaError: the connection broke; the rest says that this is no sound the browser can make out. */
const network = 2

/** error: what the audio element or its play() told, or what went wrong before it had a sound. */
export function unplayable(error: unknown, { type, known, there }: Sound): Unplayable {
  const { name, code, message = '' } = (error ?? {}) as { name?: string; code?: unknown; message?: string }
  const here = (text: string): Unplayable => ({ text, elsewhere: false })
  if (name === 'NotAllowedError') return here('The browser held the sound back. Press Play once more.')
  if (!there)
    return here('The sound of this memo is missing: the browser may have cleared it. Those you sent it to still have it.')
  // Firefox, where the system lets it open no output.
  if (/MediaSinkAudio|CUBEB/i.test(message))
    return here('No speakers or headphones were found. Connect some, then press Play again.')
  if (typeof code === 'string') {
    const { title, text } = failure(error)
    return here(`${title}. ${text}`)
  }
  if (code === network) return here('The sound broke off. Press Play to try again.')
  if (typeof code !== 'number' || (error instanceof DOMException && name !== 'NotSupportedError'))
    return here('This memo could not be played. Reload the page, then try again.')
  return known
    ? { text: 'This recording is damaged, or made in a way that this browser does not play.', elsewhere: true }
    : { text: `This browser does not play ${formatName(type) ? `${formatName(type)} recordings` : 'recordings of this kind'}.`, elsewhere: true }
}
