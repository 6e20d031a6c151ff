import type { Kit } from '../e2e/harness/kit.ts'

/** What a row of the table is measured with. */
export interface Bench {
  kit: Kit
  /** /announce of the real server, which all subjects use. */
  tracker: string
  /** The real server. */
  origin: string
  /** How often each subject is measured. */
  rounds: number
}

/** One line of the table, in words ready to print. */
export interface Line {
  what: string
  ours: string
  theirs: string
  ratio: string
  bar: string
  reached: boolean
}

export type Row = (bench: Bench) => Promise<Line[]>
