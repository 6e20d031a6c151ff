/** Of a file's bytes: [start, end). */
export interface Range {
  start: number
  end: number
  /** Asked for as "from start on". */
  open?: boolean
}

/**
 * The Range header (RFC 9110, section 14) of a request for something of that many bytes: the first of its ranges,
 * undefined for the whole (no header, or one that is to be ignored), or 'unsatisfiable'.
 */
export function parseRange(header: string | null, size: number): Range | undefined | 'unsatisfiable' {
  const list = /^\s*bytes\s*=(.*)$/i.exec(header ?? '')?.[1]?.split(',')
  const specs = list?.map((spec) => /^\s*(\d*)\s*-\s*(\d*)\s*$/.exec(spec))
  const first = specs?.[0]
  if (!first || !specs.every(valid)) return undefined
  const [, from = '', to = ''] = first
  const start = from ? Number(from) : Math.max(0, size - Number(to))
  const end = from && to ? Math.min(size, Number(to) + 1) : size
  return start < end ? { start, end, open: !!from && !to } : 'unsatisfiable'
}

function valid(spec: RegExpExecArray | null): boolean {
  const [, from, to] = spec ?? []
  return !!(from || to) && !(from && to && Number(to) < Number(from))
}

/**
 * Most bytes of an answer to "from here to the end": a player asks again when it has played them. So an answer that
 * breaks, as the browser may end a service worker at any time, costs little.
 */
const most = 4 << 20

/** What is answered of what was asked for. */
export function limit(range: Range | undefined): Range | undefined {
  return range?.open ? { ...range, end: Math.min(range.end, range.start + most) } : range
}
