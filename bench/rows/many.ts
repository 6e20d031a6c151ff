import { goProgram, talk } from '../go.ts'
import type { Row } from '../row.ts'

const count = 10_000

/** One Go peer seeds many torrents that nobody fetches; then each is looked for through the tracker. */
export const many: Row = async ({ kit, serve }) => {
  const { origin } = await serve()
  const mark = kit.mark
  const program = talk(kit, await goProgram('peer'), ['idle', `${origin.replace('http', 'ws')}/announce`, String(count)])
  const hashes: string[] = []
  for (let line = await program.line(); !line.startsWith('shared'); line = await program.line()) hashes.push(line.split(' ')[1]!)

  const found = async () => {
    let seeders = 0
    for (let i = 0; i < hashes.length; i += 50) {
      const query = hashes.slice(i, i + 50).map((hex) => `info_hash=${hex.replace(/../g, '%$&')}`).join('&')
      const answer = Buffer.from(await (await fetch(`${origin}/scrape?${query}`)).arrayBuffer()).toString('latin1')
      seeders += [...answer.matchAll(/8:completei1e/g)].length
    }
    return seeders
  }
  let there = 0
  for (const end = performance.now() + 120_000; there < count && performance.now() < end; ) {
    there = await found()
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  program.say('\n')
  const rss = Number((await program.line()).split(' ')[1]) / 1e6
  const goroutines = Number((await program.line()).split(' ')[1])
  await kit.closeTo(mark)
  return [
    { what: '10,000 torrents seeded, idle: memory in GB', ours: rss.toFixed(2), theirs: '', ratio: '', bar: '≤ 1', reached: rss <= 1 },
    { what: '… goroutines', ours: String(goroutines), theirs: '', ratio: '', bar: '≤ 2000', reached: goroutines <= 2000 },
    { what: '… found through the tracker', ours: String(there), theirs: '', ratio: '', bar: String(count), reached: there === count },
  ]
}
