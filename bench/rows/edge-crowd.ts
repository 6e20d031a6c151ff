import { setTimeout as pause } from 'node:timers/promises'
import type { Person } from '../../e2e/harness/browser.ts'
import { goProgram, talk } from '../go.ts'
import { sample, span } from '../measure.ts'
import type { Row } from '../row.ts'
import { Exhibition } from '../site.ts'

const visitors = 100
/** Of so many, one is Chromium; the others are Go peers that behave like the script. */
const each = 10
/** Milliseconds between two arrivals: one machine is all of them, and closer together it is that which is measured. */
const apart = 1500
const bar = 0.95

/** A hundred visitors, one after another, who stay: bytes of the site as it counts them, of peers as they were verified. */
export const edgeCrowd: Row = async ({ kit, rounds }) => {
  const show = await Exhibition.make(kit, { images: 40, bytes: 20_000, seconds: 60, speed: 60_000 })
  const program = await goProgram('edge')
  const go = visitors - visitors / each

  async function run() {
    const mark = kit.mark
    try {
      const site = await show.serve(kit)
      const crowd = talk(kit, program, [site.origin, String(go), `${(apart * each) / (each - 1)}ms`, String(show.seconds)])
      const done = (async () => {
        const sum = { peers: 0, http: 0, wrong: 0, stalls: 0 }
        for (let i = 0; i < go; i++) {
          const [, , peers, http, wrong, stalls] = (await crowd.line()).split(' ').map(Number)
          sum.peers += peers!
          sum.http += http!
          sum.wrong += wrong!
          sum.stalls += stalls!
        }
        return sum
      })()
      const people: Person[] = []
      const visits: Promise<void>[] = []
      for (let i = 0; i < visitors; i += each) {
        await pause(apart * each / 2)
        const person = await kit.person('chromium', { allow: [/./] })
        people.push(person)
        visits.push(show.watch(person, site.origin))
        await pause(apart * each / 2)
      }
      const [sum] = await Promise.all([done, ...visits])
      const served = await site.served()
      for (const person of people) sum.wrong += await show.wrong(person)
      // They tell the rest when they leave.
      for (const { page } of people) await page.goto('about:blank')
      const { peers, stalls, causes } = (await site.figures()).total
      return { served, peers, go: sum, causes, stalls, wrong: sum.wrong, offload: peers / (peers + served) }
    } finally {
      await kit.closeTo(mark)
    }
  }

  const offloads: number[] = []
  let wrong = 0
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    const result = await run()
    console.error(`  ${JSON.stringify(result)}`)
    offloads.push(result.offload)
    wrong += result.wrong
  }
  const offload = sample(offloads)
  return [{
    what: `a site of 40 images and a film, ${visitors} visitors one after another, every ${apart / 1000} s, ${go} of them Go: P2P ÷ (P2P + HTTP), ceiling ${1 - 1 / visitors}`,
    ours: span(offload), theirs: '0', ratio: '', bar: `≥ ${bar}, no byte wrong`, reached: offload.median >= bar && !wrong,
  }]
}
