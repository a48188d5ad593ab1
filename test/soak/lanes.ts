// Servers of all kinds, with the requests that each gets and the faults that befall it.
import { add, dim, model, mul, tensor } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { compilePlaced } from '../../plugin/compilePlaced.ts'
import { open } from '../../targets/runtime/index.ts'
import { type RequestOptions, type ServeOptions, type Server, serve } from '../../targets/runtime/serve/index.ts'
import { compileFor, folderOf, modes, unruly, unrulyInputs, writeFiles } from '../serve/support.ts'
import { idsBelow, recommender, six } from '../support/recommender.ts'
import { type Asked, type Book, createBook } from './books.ts'
import { createRandom, type Random } from './random.ts'

type Kind = 'native' | 'wasm'
type Device = 'worker' | 'process'

export interface Lane {
  readonly name: string
  readonly server: Server
  readonly book: Book
  /** Requests that are sent at once at most; more than the server takes. */
  readonly most: number
  /** Sends one request. `calm`: one that harms no card. */
  send(calm: boolean): Promise<unknown>
  /** Puts the same model in its place as a new version, and waits until the old one is gone. */
  swap?(): Promise<void>
  /** Whether processes of its cards may be killed. */
  readonly killed: boolean
  close(): Promise<void>
}

/** Requests under way, and requests that wait. */
const limits = { active: 6, queue: 12 } as const

/** Milliseconds after which a card counts as hung; code in WebAssembly hangs for a second alone. */
const timeouts = { native: 1500, wasm: 600 } as const

/** Deadlines and aborts that a request may have; what was asked says so. */
function fateOf(random: Random): { readonly options: RequestOptions; readonly asked: Pick<Asked, 'deadline' | 'signal'> } {
  const priority = random.below(3)
  if (random.chance(0.1)) {
    const deadline = 1 + random.below(200)
    return { options: { priority, deadline }, asked: { deadline } }
  }
  if (random.chance(0.1)) {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), random.below(20)).unref()
    return { options: { priority, signal: controller.signal }, asked: { signal: controller.signal } }
  }
  return { options: { priority }, asked: {} }
}

const whole = (random: Random, count: number): Float32Array => Float32Array.from({ length: count }, () => random.below(1000))

function laneOf(
  name: string,
  folder: string,
  options: ServeOptions,
  killed: boolean,
  most: number = limits.active + limits.queue + 6,
) {
  const server = serve(folder, { ...limits, ...options })
  const book = createBook(name, server, options.queue ?? limits.queue)
  return { name, server, book, most, killed, close: () => server.close() }
}

/** A model that adds, refuses, crashes, hangs, ends its process, or takes its time, as its input says. */
async function unrulyLane(kind: Kind, device: Device, random: Random): Promise<Lane> {
  const folder = await unruly(kind)
  const lane = laneOf(`${device} ${kind}`, folder, { cards: 2, device, timeout: timeouts[kind] }, device === 'process')
  // What native code of a worker does to itself it does to this process.
  const deadly =
    kind === 'wasm' || device === 'process' ? [modes.crash, modes.hang, ...(kind === 'native' ? [modes.exit] : [])] : [2000]
  return {
    ...lane,
    async swap() {
      await (await lane.server.swap(folder)).unloaded
    },
    send(calm) {
      const mode = calm
        ? random.chance(0.05)
          ? modes.fault
          : kind === 'native' && random.chance(0.1)
            ? 100 + random.below(20)
            : modes.sum
        : random.pick(deadly)
      const x = whole(random, 4)
      const expected = { y: x.map((value, i) => value + [10, 20, 30, 40][i]!) }
      const { options, asked } = fateOf(random)
      const entry = lane.server.entries[random.pick(['main', 'again'])]!
      return lane.book.ask({ ...asked, expected, fault: mode === modes.fault, deadly: !calm }, () =>
        entry.run(unrulyInputs(mode, x), options),
      )
    },
  }
}

/** Requests of several rows share runs. */
async function batchLane(kind: Kind, device: Device, random: Random): Promise<Lane> {
  const batch = dim('batch', [1, 4, 8])
  const graph = traceModel(
    model({ name: 'rows', inputs: { x: tensor('f32', [batch, 4]) }, forward: ({ x }) => ({ y: add(mul(x, 3), 1) }) }),
  )
  const folder = folderOf(await compileFor(graph, kind))
  const lane = laneOf(
    `batches ${device} ${kind}`,
    folder,
    { cards: 2, device, queue: 400, batching: { delay: 1 } },
    device === 'process',
    16,
  )
  return {
    ...lane,
    send() {
      const x = whole(random, 4 * (1 + random.below(20)))
      const { options, asked } = fateOf(random)
      return lane.book.ask({ ...asked, expected: { y: x.map((value) => 3 * value + 1) } }, () => lane.server.run({ x }, options))
    },
  }
}

/** Tables on three cards, the rest on each. */
async function placedLane(kind: Kind, device: Device, random: Random): Promise<Lane> {
  const sizes = [9000, 8000, 7000, 6000, 5000, 4000]
  const graph = recommender(sizes)
  const placed = await compilePlaced(graph, { ...six, cards: six.cards.slice(0, 3) }, { target: [kind], method: 'tables' })
  const lane = laneOf(`tables ${device} ${kind}`, writeFiles(placed.files), { device }, device === 'process')
  // Rounded otherwise than the whole model is; what copies of a part give is the same to the bit.
  const calm = serve(writeFiles(placed.files))
  const single = open(folderOf(await compileFor(graph, kind)))
  const requests: {
    readonly inputs: { ids: BigInt64Array; dense: Float32Array }
    readonly expected: { clicks: Float32Array }
  }[] = []
  for (let seed = 0; seed < 32; seed++) {
    const { ids, dense } = idsBelow(sizes, seed)
    const inputs = { ids: new BigInt64Array(ids!.buffer), dense: new Float32Array(dense!.buffer) }
    const clicks = (await calm.run(inputs)).clicks!.data as Float32Array
    const almost = single.runSync(inputs).clicks!.data as Float32Array
    if (!clicks.every((value, i) => Math.abs(value - almost[i]!) < 1e-5)) lane.book.wrong('the parts are not the whole model')
    requests.push({ inputs, expected: { clicks } })
  }
  await calm.close()
  await single.close()
  return {
    ...lane,
    send() {
      const { inputs, expected } = random.pick(requests)
      const { options, asked } = fateOf(random)
      return lane.book.ask({ ...asked, expected }, () => lane.server.run(inputs, options))
    },
  }
}

/** What a session has been told to add up, and whether its card is gone. */
interface Sum {
  readonly session: ReturnType<Server['session']>
  total: number
  runs: number
  busy: boolean
}

/** Sessions add up what they are given, on the card that keeps the sum. */
async function sessionLane(kind: Kind, device: Device, random: Random): Promise<Lane> {
  const graph = traceModel(
    model({
      name: 'totals',
      inputs: { x: tensor('f32', [4]), total: tensor('f32', [4]) },
      forward({ x, total }) {
        const next = add(x, total)
        return { y: mul(next, 2), next }
      },
    }),
  )
  const folder = folderOf(await compileFor(graph, kind))
  const lane = laneOf(`sessions ${device} ${kind}`, folder, { cards: 2, device, sessions: 6 }, device === 'process', 4)
  const { book, server } = lane
  const start = (): Sum => ({ session: server.session({ carry: { total: 'next' } }), total: 0, runs: 0, busy: false })
  const sums = Array.from({ length: 4 }, start)

  /** A session that lost its card says so until it is told to begin anew, and has forgotten all. */
  async function recover(sum: Sum): Promise<void> {
    const again = await sum.session.run({ x: whole(random, 4) }).then(
      () => 'answered',
      ({ code }) => code,
    )
    if (again !== 'session-lost') book.wrong(`a session that was lost was ${again}`)
    sum.session.reset()
    sum.total = 0
    sum.runs = 0
  }

  return {
    ...lane,
    async send() {
      const sum = sums.find(({ busy }) => !busy)
      if (!sum) return
      sum.busy = true
      const value = random.below(100)
      const expected = { y: new Float32Array(4).fill(2 * (sum.total + value)) }
      // The first run of a session that has nothing yet to lose.
      const pinned = sum.runs === 0
      const outcome = await book.ask({ expected, pinned }, () => sum.session.run({ x: new Float32Array(4).fill(value) }))
      if (outcome === 'session-lost') await recover(sum)
      else if (outcome === 'answered') {
        sum.total += value
        sum.runs++
      }
      if (sum.runs > 200) {
        sum.session.close()
        sums[sums.indexOf(sum)] = start()
      }
      sum.busy = false
    },
  }
}

/** All lanes that this machine can have. */
export async function createLanes(kinds: readonly Kind[], seed: number): Promise<readonly Lane[]> {
  const makers = kinds.flatMap((kind) => [
    (random: Random) => unrulyLane(kind, 'worker', random),
    (random: Random) => unrulyLane(kind, 'process', random),
  ])
  const [best] = kinds as readonly [Kind]
  makers.push(
    (random) => batchLane(best, 'process', random),
    (random) => placedLane(best, 'process', random),
    (random) => sessionLane(best, 'process', random),
  )
  const lanes: Lane[] = []
  for (const [i, make] of makers.entries()) lanes.push(await make(createRandom(seed + 1000 * i)))
  return lanes
}
