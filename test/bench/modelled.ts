// What serving is modelled to do on this machine, beside what it does: `node test/bench/modelled.mjs`.
import { readdirSync, readFileSync } from 'node:fs'
import { partitionGraph } from '../../compiler/partition/index.ts'
import { readModel } from '../../plugin/cli/models.ts'
import { readPlatform } from '../../targets/platform/index.ts'
import { simulate } from '../../targets/platform/simulate/index.ts'
import { serve } from '../../targets/runtime/serve/index.ts'
import { quietWindows } from './quiet.ts'

/** A model, the folder that `glowplug build` made of it, and the platform that `glowplug probe` made of this machine. */
export interface Subject {
  readonly model: string
  readonly file: string
  readonly bundle: string
  readonly platform: string
}

export interface Compared {
  readonly model: string
  readonly cards: number
  /** Milliseconds from a request to its answer, one at a time. */
  readonly p50: { readonly modelled: number; readonly measured: number }
  /** Answers a second, cards never without work. */
  readonly throughput: { readonly modelled: number; readonly measured: number }
  /** What others had of all processors in the windows that were measured: see `quiet.ts`. */
  readonly others: number
}

type Values = Float32Array | Int32Array | BigInt64Array

/** Requests with other numbers each: rows that were picked before are in a cache. */
function requestsOf(inputs: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[]) {
  let state = 1
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return Array.from({ length: 32 }, () =>
    Object.fromEntries(
      inputs.map(({ name, dtype, shape }): [string, Values] => {
        const count = shape.reduce((a, b) => a * b, 1)
        const below = name === 'ids' ? 100_000 : 2
        const whole = () => Math.floor(next() * below)
        if (dtype === 'i64') return [name, BigInt64Array.from({ length: count }, () => BigInt(whole()))]
        if (dtype === 'i32') return [name, Int32Array.from({ length: count }, whole)]
        return [name, Float32Array.from({ length: count }, next)]
      }),
    ),
  )
}

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))]!

async function measure({ bundle }: Subject, cards: number, seconds: number) {
  const server = serve(bundle, { cards, threads: 1 })
  try {
    await server.ready()
    const [{ inputs }] = JSON.parse(readFileSync(`${bundle}/${manifestOf(bundle)}`, 'utf8')).entries
    const requests = requestsOf(inputs)
    let at = 0
    const run = () => server.run(requests[at++ % requests.length]!)
    for (let i = 0; i < 4; i++) await run()
    const alone = await quietWindows(async () => {
      const times: number[] = []
      for (const end = performance.now() + 1000; performance.now() < end || times.length < 5; ) {
        const started = performance.now()
        await run()
        times.push(performance.now() - started)
      }
      return times
    }, seconds)
    let answered = 0
    let open = true
    let onAnswer = () => {}
    const callers = Array.from({ length: 2 * cards + 2 }, async () => {
      while (open) {
        await run()
        answered++
        onAnswer()
      }
    })
    const nextAnswer = () => new Promise<number>((resolve) => (onAnswer = () => resolve(performance.now())))
    // From an answer to an answer: what is under way at the edges would count for much where few are answered.
    const full = await quietWindows(async () => {
      const started = await nextAnswer()
      const before = answered
      let at = started
      while (at < started + 2000 || answered < before + 16) at = await nextAnswer()
      return (1000 * (answered - before)) / (at - started)
    }, seconds)
    open = false
    await Promise.all(callers)
    return {
      p50: quantile(
        alone.flatMap(({ value }) => value),
        0.5,
      ),
      rate: quantile(
        full.map(({ value }) => value),
        0.5,
      ),
      others: Math.max(...[...alone, ...full].map(({ others }) => others)),
    }
  } finally {
    await server.close()
  }
}

const manifestOf = (bundle: string): string => readdirSync(bundle).find((name) => name.endsWith('.manifest.json'))!

/** A model on 1, 2, … cards, modelled and measured. */
export async function compare(subject: Subject, cards: readonly number[], seconds: number): Promise<readonly Compared[]> {
  const { platform: described } = readPlatform(readFileSync(subject.platform, 'utf8'), subject.platform)
  const [entry] = (await readModel(subject.file, undefined)).entries
  const { graph } = entry!
  const compared: Compared[] = []
  for (const count of cards) {
    const platform = { ...described, cards: described.cards.slice(0, count) }
    const { plan } = partitionGraph(graph, platform, { method: 'copies' })
    const alone = simulate(plan, platform, { rate: 1e-3, requests: 1 })
    const full = simulate(plan, platform, { rate: 100 * plan.requestsPerSecond, requests: 400 })
    const { p50, rate, others } = await measure(subject, count, seconds)
    compared.push({
      model: subject.model,
      cards: count,
      p50: { modelled: 1e3 * alone.latency.p50, measured: p50 },
      throughput: { modelled: full.throughput, measured: rate },
      others,
    })
  }
  return compared
}

const beside = ({ modelled, measured }: Compared['p50']): readonly string[] => [
  modelled.toPrecision(4),
  measured.toPrecision(4),
  `${modelled >= measured ? '+' : '−'}${Math.abs(100 * (modelled / measured - 1)).toFixed(1)} %`,
]

/** A table in Markdown. */
export const printCompared = (rows: readonly Compared[]): string =>
  [
    '| model | cards | p50 ms, modelled | measured | | answers a second, modelled | measured | | others had |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(
      ({ model, cards, p50, throughput, others }) =>
        `| ${[model, cards, ...beside(p50), ...beside(throughput), `${(100 * others).toFixed(0)} %`].join(' | ')} |`,
    ),
  ].join('\n')
