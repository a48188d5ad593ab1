// A story through a session, beside the same network without state: interleaved token by token, so that what else the machine does meets all alike.
import { Session as Inspector } from 'node:inspector'
import { join } from 'node:path'
import { writeBundle } from '../../plugin/bundle/index.ts'
import { readModel } from '../../plugin/cli/models.ts'
import { compile } from '../../plugin/compile.ts'
import { nativeAvailable } from '../../targets/native/index.ts'
import { openSessions } from '../../targets/runtime/index.ts'

export interface Compared {
  readonly target: string
  /** Microseconds of a token, the lower quartile: `run` of the entry without state, of a session, and `runSync` of a session. */
  readonly stateless: number
  readonly run: number
  readonly runSync: number
  /** Bytes that a token allocates: of JavaScript's heap by `runSync`, and of array buffers by `run`. */
  readonly heapBytes: number
  readonly bufferBytes: number
}

const promptLength = 128

function likeliest(logits: Float32Array): number {
  let best = 0
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i
  return best
}

const quartile = (list: number[]): number => list.sort((a, b) => a - b)[list.length >> 2]! * 1000

/** Bytes that `body` allocates on the heap, as its profiler samples them. */
async function heapBytesOf(body: () => void): Promise<number> {
  const inspector = new Inspector()
  inspector.connect()
  const ask = (method: string, options = {}): Promise<any> =>
    new Promise((resolve, reject) =>
      inspector.post(`HeapProfiler.${method}`, options, (error, answer) => (error ? reject(error) : resolve(answer))),
    )
  const kept = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }
  await ask('startSampling', { samplingInterval: 64, ...kept })
  body()
  const { profile } = await ask('stopSampling')
  inspector.disconnect()
  const sum = ({ selfSize, children }: any): number => children.reduce((all: number, child: any) => all + sum(child), selfSize)
  return sum(profile.head)
}

async function compareOn(target: string, models: string, folder: string, tokens: number, rounds: number): Promise<Compared> {
  const [stateful, plain] = await Promise.all(
    ['generate', 'stories260k'].map(async (name) => {
      const own = join(folder, `${name}-${target}`)
      await writeBundle(await compile(await readModel(join(models, `${name}.model.ts`), undefined), { target }), own)
      const model: any = openSessions(own)
      await model.ready()
      return model
    }),
  )
  const times = { stateless: [] as number[], run: [] as number[], runSync: [] as number[] }
  const prompt = new BigInt64Array(promptLength)
  prompt[0] = 1n
  const given = { token: new BigInt64Array(1) }
  const options = { into: { logits: new Float32Array(512) } }
  for (let round = 0; round < rounds; round++) {
    const { logits, k_cache, v_cache } = await plain.entries.prefill.run({ tokens: prompt })
    const into = { logits: new Float32Array(512), k_cache_out: k_cache, v_cache_out: v_cache }
    const [away, here] = [stateful.session(), stateful.session()]
    await away.entries.prefill.run({ tokens: prompt, length: [1] })
    here.entries.prefill.runSync({ tokens: prompt, length: [1] })
    let token = likeliest(logits.data.subarray(0, 512))
    for (let position = 1; position < tokens; position++) {
      given.token[0] = BigInt(token)
      const start = performance.now()
      await plain.entries.step.run({ token: [token], pos: [position], k_cache, v_cache }, { into })
      const first = performance.now()
      await away.entries.step.run(given, options)
      const second = performance.now()
      const expected = likeliest(into.logits)
      if (likeliest(options.into.logits) !== expected) throw new Error(`${target}: the session says another token at ${position}`)
      const third = performance.now()
      here.entries.step.runSync(given, options)
      times.stateless.push(first - start)
      times.run.push(second - first)
      times.runSync.push(performance.now() - third)
      if (likeliest(options.into.logits) !== expected) throw new Error(`${target}: runSync says another token at ${position}`)
      token = expected
    }
    away.close()
    here.close()
  }
  const session = stateful.session()
  const count = 400
  const tell = () => {
    for (let i = 0; i < count; i++) session.entries.step.runSync(given, options)
  }
  // Twice: the first time the engine learns the code.
  session.entries.prefill.runSync({ tokens: prompt, length: [1] })
  tell()
  session.entries.prefill.runSync({ tokens: prompt, length: [1] })
  const heapBytes = await heapBytesOf(tell)
  session.reset()
  await session.entries.prefill.run({ tokens: prompt, length: [1] })
  await session.entries.step.run(given, options)
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < count; i++) await session.entries.step.run(given, options)
  const bufferBytes = process.memoryUsage().arrayBuffers - before
  await Promise.all([stateful.close(), plain.close()])
  return {
    target,
    stateless: quartile(times.stateless),
    run: quartile(times.run),
    runSync: quartile(times.runSync),
    heapBytes: Math.round(heapBytes / count),
    bufferBytes: Math.round(Math.max(0, bufferBytes) / count),
  }
}

/** `models` is the folder of the fixture, `folder` one to write to. */
export async function compareSessions(
  models: string,
  folder: string,
  tokens: number,
  rounds: number,
): Promise<readonly Compared[]> {
  const targets = ['wasm', ...((await nativeAvailable()).ok ? ['native'] : [])]
  const rows: Compared[] = []
  for (const target of targets) rows.push(await compareOn(target, models, folder, tokens, rounds))
  return rows
}

export const printCompared = (rows: readonly Compared[]): string =>
  [
    '| target | stateless `run`, µs a token | session `run` | session `runSync` | bytes a token: heap, buffers |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map(
      ({ target, stateless, run, runSync, heapBytes, bufferBytes }) =>
        `| ${target} | ${stateless.toFixed(0)} | ${run.toFixed(0)} (${(stateless / run).toFixed(1)}×) | ${runSync.toFixed(0)} (${(stateless / runSync).toFixed(1)}×) | ${heapBytes}, ${bufferBytes} |`,
    ),
  ].join('\n')
