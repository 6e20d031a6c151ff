import { section as files } from '../files/index.ts'
import { section as memos } from '../memos/index.ts'
import type { Section } from '../ui/section.ts'

/** In the order of the navigation. `/` leads to the first. */
export const sections: readonly Section[] = [memos, files]
