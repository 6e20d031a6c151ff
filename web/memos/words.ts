/** Words made of a memo's facts: titles, times, file names. */
import { unturned } from '../ui/words.ts'
import { maxTitle } from './memo.ts'

export const untitled = 'Untitled memo'

/** "14:05", or "2:05 PM" where people of that locale count so: in English, as the words around it are. */
function timeOf(date: Date, locale?: string): string {
  const { hourCycle } = new Intl.DateTimeFormat(locale, { hour: 'numeric' }).resolvedOptions()
  return new Intl.DateTimeFormat('en', { hour: 'numeric', minute: '2-digit', hourCycle }).format(date)
}

/** "Tue 14:05" */
export function defaultTitle(date: Date, locale?: string): string {
  return `${new Intl.DateTimeFormat('en', { weekday: 'short' }).format(date)} ${timeOf(date, locale)}`
}

/** One line, trimmed, bounded; never blank. */
export function cleanTitle(text: string): string {
  const line = unturned(text).replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return [...line].slice(0, maxTitle).join('').trim() || untitled
}

/** ISO 8601 duration, for <time datetime>. */
export const isoDuration = (seconds: number): string => `PT${Math.max(0, Math.floor(seconds))}S`

/** "4 March 2025, 14:05" */
export function longDate(date: Date, locale?: string): string {
  const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric' })
  return `${day.format(date)}, ${timeOf(date, locale)}`
}

const extensions: Record<string, string> = {
  'audio/webm': 'webm',
  'video/webm': 'webm',
  'audio/mp4': 'm4a',
  'audio/x-m4a': 'm4a',
  'audio/aac': 'aac',
  'audio/ogg': 'ogg',
  'audio/mpeg': 'mp3',
  'audio/wav': 'wav',
  'audio/x-wav': 'wav',
  'audio/flac': 'flac',
  'audio/opus': 'opus',
}

const essence = (type: string): string => type.split(';')[0]!.trim().toLowerCase()

/** Without the dot; '' when the type is unknown. */
export const extension = (type: string): string => extensions[essence(type)] ?? ''

/** What the format is called, for people: "WebM", "M4A". */
export function formatName(type: string): string {
  const ext = extension(type)
  return ext === 'webm' ? 'WebM' : ext.toUpperCase()
}

/** A name every file system takes, with the extension of its type. */
export function fileName(title: string, type: string): string {
  let stem = [...title.normalize('NFC').replace(/[\p{C}\\/:*?"<>|]+/gu, ' ')].slice(0, 80).join('')
  stem = stem.replace(/\s+/g, ' ').replace(/^[\s.]+|[\s.]+$/g, '')
  if (/^(con|prn|aux|nul|com\d|lpt\d)$/i.test(stem)) stem += ' memo'
  const ext = extension(type)
  return (stem || 'memo') + (ext && '.' + ext)
}
