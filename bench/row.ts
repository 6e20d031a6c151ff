import type { Kit } from '../e2e/harness/kit.ts'
import type { Server } from '../e2e/harness/server.ts'

/** What a row of the table is measured with. */
export interface Bench {
  kit: Kit
  /** The real server: one for all rows, and its tracker for all subjects. */
  serve(): Promise<Server>
  /** How often each subject is measured. */
  rounds: number
}

/** One line of the table, in words ready to print. */
export interface Line {
  what: string
  ours: string
  theirs: string
  ratio: string
  /** Where there is one to reach, and whether it was. */
  bar?: string
  reached?: boolean
}

export type Row = (bench: Bench) => Promise<Line[]>
