// Random load and random faults on servers of all kinds, with books of every request.
import { kinds } from '../serve/support.ts'
import { churn } from './churn.ts'
import { createLanes, type Lane } from './lanes.ts'
import { createRandom, type Random } from './random.ts'
import { growthOf, type Resources, resourcesNow } from './resources.ts'

export interface SoakOptions {
  readonly seconds: number
  readonly seed: number
  /** Seconds between two faults of a server, on average. */
  readonly calm: number
  /** Told how it goes, every few seconds. */
  readonly report: (line: string) => void
}

export interface SoakResult {
  readonly asked: number
  readonly answered: number
  readonly losses: number
  readonly churned: number
  /** How often a version of a model took the place of another. */
  readonly swapped: number
  /** Requests by how they ended. */
  readonly counts: Readonly<Record<string, number>>
  /** All that is wrong, in words; empty where nothing is. */
  readonly problems: readonly string[]
  /** Before, and after all has been closed. */
  readonly resources: readonly [Resources, Resources]
  /** Share by which the memory of this process grew, of its median in the second quarter. */
  readonly growth: number
}

/** Memory may grow so much over a run that is long enough to tell. */
const mostGrowth = 0.05
const longEnough = 300

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Where a request is never answered, the books are to say so. */
async function patiently(under: Iterable<Promise<unknown>>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, 60_000)
  })
  await Promise.race([Promise.all(under), late])
  clearTimeout(timer)
}

/** Sends requests in bursts while `goes` holds, and waits for the last answer. */
async function load(lane: Lane, random: Random, goes: () => boolean): Promise<void> {
  const under = new Set<Promise<unknown>>()
  while (goes()) {
    for (let burst = 1 + random.below(lane.most); burst > 0 && under.size < lane.most; burst--) {
      const sent = lane.send(true).finally(() => under.delete(sent))
      under.add(sent)
    }
    await pause(random.below(20))
  }
  await patiently(under)
}

const signals = ['SIGKILL', 'SIGSTOP', 'SIGSEGV'] as const

/** Kills processes of cards, and sends requests that do. */
async function harm(lane: Lane, random: Random, calm: number, goes: () => boolean): Promise<number> {
  let swapped = 0
  const under: Promise<unknown>[] = []
  const isDeadly = /^(worker|process) /.test(lane.name)
  for (;;) {
    for (let wait = calm * 1000 * (0.5 + random.number()); wait > 0 && goes(); wait -= 50) await pause(Math.min(wait, 50))
    if (!goes()) break
    const pids = lane.server.info.cards.flatMap(({ pid, state }) => (pid !== undefined && state === 'ready' ? [pid] : []))
    if (lane.swap && random.chance(0.2)) {
      await lane.swap()
      swapped++
    } else if (isDeadly && (!lane.killed || random.chance(0.4))) under.push(lane.send(false))
    else if (lane.killed && pids.length > 0)
      try {
        process.kill(random.pick(pids), random.pick(signals))
      } catch (error) {
        // It has ended meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
  }
  await patiently(under)
  return swapped
}

function addCounts(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const counts of all) for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count
  return sums
}

export async function soak({ seconds, seed, calm, report }: SoakOptions): Promise<SoakResult> {
  // What stays for good, such as the threads that native code runs on, is there when the first server has come and gone.
  const churning = createRandom(seed)
  const problems: string[] = [...(await churn(kinds, churning))]
  const before = resourcesNow()
  const lanes = await createLanes(kinds, seed)
  await Promise.all(lanes.map(({ server }) => server.ready()))
  const started = performance.now()
  const goes = () => performance.now() - started < seconds * 1000
  const memory: number[] = []
  let churned = 1

  async function comeAndGo(): Promise<void> {
    while (goes()) {
      problems.push(...(await churn(kinds, churning)))
      churned++
      await pause(churning.below(200))
    }
  }
  async function look(): Promise<void> {
    const total = (of: (lane: Lane) => number) => lanes.reduce((sum, lane) => sum + of(lane), 0)
    for (let turn = 1; goes(); turn++) {
      await pause(Math.min(500, seconds * 25))
      const now = resourcesNow()
      memory.push(now.memory)
      if (turn % 10 === 0)
        report(
          [
            `${((performance.now() - started) / 1000).toFixed(0).padStart(5)} s`,
            `${total(({ book }) => book.asked)} asked, ${total(({ book }) => book.outstanding)} under way`,
            `${total(({ book }) => book.losses)} cards lost, ${churned} servers come and gone`,
            `${now.memory.toFixed(0)} MiB, ${now.descriptors} descriptors, ${now.processes} processes`,
          ].join(' · '),
        )
    }
  }
  let swapped = 0
  await Promise.all([
    comeAndGo(),
    look(),
    ...lanes.flatMap((lane, i) => [
      load(lane, createRandom(seed + 1000 * i + 1), goes),
      harm(lane, createRandom(seed + 1000 * i + 2), calm, goes).then((count) => {
        swapped += count
      }),
    ]),
  ])
  await Promise.all(lanes.map((lane) => lane.close()))
  for (const { book } of lanes) problems.push(...book.end())

  const after = resourcesNow()
  const growth = growthOf(memory)
  if (after.processes > before.processes) problems.push(`${after.processes - before.processes} processes are left`)
  if (after.descriptors > before.descriptors) problems.push(`${after.descriptors - before.descriptors} descriptors are left`)
  if (seconds >= longEnough && growth > mostGrowth) problems.push(`memory has grown by ${(100 * growth).toFixed(1)} %`)
  const counts = addCounts(lanes.map(({ book }) => book.counts))
  const asked = lanes.reduce((sum, { book }) => sum + book.asked, 0)
  const losses = lanes.reduce((sum, { book }) => sum + book.losses, 0)
  return { asked, answered: counts.answered ?? 0, losses, churned, swapped, counts, problems, resources: [before, after], growth }
}
