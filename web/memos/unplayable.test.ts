import { expect, it } from 'vitest'
import { unplayable } from './unplayable.ts'

const webm = { type: 'audio/webm;codecs=opus', known: true, there: true }
const media = (code: number, message = '') => ({ code, message })
const says = (error: unknown, sound = webm) => unplayable(error, sound).text

it('tells a format that the browser does not know from a damaged recording; a file of either may play elsewhere', () => {
  for (const error of [media(3), media(4), new DOMException('', 'NotSupportedError')]) {
    expect(unplayable(error, { ...webm, known: false })).toEqual({
      text: 'This browser does not play WebM recordings.',
      elsewhere: true,
    })
    expect(unplayable(error, webm)).toMatchObject({ text: expect.stringContaining('damaged') as string, elsewhere: true })
  }
  expect(says(media(4), { ...webm, type: 'audio/amr', known: false })).toBe('This browser does not play recordings of this kind.')
})

it('says what is missing: the sound, something to hear it with, or a press of the button', () => {
  expect(says(media(4), { ...webm, there: false })).toContain('missing')
  expect(says(new Error('The sound of this memo is not on this device.'), { ...webm, there: false })).toContain('missing')
  expect(says(media(3, 'OnMediaSinkAudioError'))).toContain('No speakers')
  expect(says(new DOMException('', 'NotAllowedError'))).toContain('Press Play once more')
})

it('gives the engine’s own reasons as every page does', () => {
  expect(says(Object.assign(new Error('x'), { code: 'no-space' }))).toContain('This device is full.')
  expect(says(new Error('Failed to fetch'))).toContain('Reload the page')
  expect(says(media(2))).toContain('broke off')
})
