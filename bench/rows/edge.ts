import { setTimeout as pause } from 'node:timers/promises'
import type { Person } from '../../e2e/harness/browser.ts'
import { edgeBudgets, edgeSize } from '../../e2e/harness/build.ts'
import { sample, span } from '../measure.ts'
import type { Row } from '../row.ts'
import { Exhibition } from '../site.ts'

const visitors = 10
const bar = 0.85
/** Milliseconds between two arrivals. */
const apart = 5_000

/**
 * Ten Chromium profiles arrive one after another, and stay: a page with 40 images, of which one or two are in view, and a
 * film of a minute, which each plays to its end. Bytes of the site are counted by the site, bytes of peers by visitors,
 * once they were verified: P2P ÷ (P2P + HTTP). The same without the script's part, by opting out, tells how much the site
 * would have sent.
 */
export const edge: Row = async ({ kit, rounds }) => {
  const show = await Exhibition.make(kit, { images: 40, bytes: 50_000, seconds: 60 })

  async function run(out: boolean) {
    const mark = kit.mark
    try {
      const site = await show.serve(kit)
      const people: Person[] = []
      const visits: Promise<number>[] = []
      for (let i = 0; i < visitors; i++) {
        const person = await kit.person('chromium', { allow: [/./] })
        if (out) await person.page.evaluateOnNewDocument(() => localStorage.setItem('starling-edge', 'off'))
        people.push(person)
        visits.push(show.visit(person, site.origin))
        await pause(apart)
      }
      const wrong = (await Promise.all(visits)).reduce((sum, one) => sum + one)
      const served = await site.served()
      for (const { page } of people) await page.goto('about:blank')
      const { peers, stalls, liars, causes } = (await site.figures()).total
      return { served, peers, stalls, liars, causes, wrong, offload: peers / (peers + served) }
    } finally {
      await kit.closeTo(mark)
    }
  }

  const offloads: number[] = []
  const saved: number[] = []
  let wrong = 0
  for (let round = 0; round < rounds; round++) {
    const [with_, without] = [await run(false), await run(true)]
    console.error(`  ${JSON.stringify({ with_, without })}`)
    offloads.push(with_.offload)
    saved.push(with_.served / without.served)
    wrong += with_.wrong + without.wrong
  }
  const offload = sample(offloads)
  return [
    {
      what: `a site of 40 images and a film, ${visitors} visitors one after another: P2P ÷ (P2P + HTTP), ceiling ${1 - 1 / visitors}`,
      ours: span(offload),
      theirs: '0',
      ratio: `egress ${span(sample(saved))}`,
      bar: `≥ ${bar}, no byte wrong`,
      reached: offload.median >= bar && !wrong,
    },
    ...(await sizes()),
  ]
}

/** What a visitor downloads besides the page. */
const sizes = () =>
  Promise.all(edgeBudgets.map(async ({ what, files, most }) => {
    const size = await edgeSize(files)
    return {
      what: `edge.js with all it needs for ${what}, kB of brotli`, ours: (size / 1000).toFixed(1),
      theirs: '84 and socket.io (PeerConnect)', ratio: '', bar: `≤ ${most / 1000}`, reached: size <= most,
    }
  }))
