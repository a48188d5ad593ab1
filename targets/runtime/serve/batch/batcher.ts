import { fail, GlowplugError } from '../../error.ts'
import type { TensorArray, TensorValue } from '../../tensor.ts'
import type { BatchInfo, Observe, RequestOptions } from '../api.ts'
import { createCount } from '../count.ts'
import { checkRequest, watchFate } from '../fate.ts'
import { cover } from './cover.ts'
import { createExpected } from './expect.ts'
import { decide, type Waiting } from './form.ts'
import type { RowEntry, Staged } from './rows.ts'

/** How requests share runs. */
export interface BatchOptions {
  /** Milliseconds that a request waits for others to share its run. Default 0: those that come while all runs are taken share the next. */
  readonly delay?: number | undefined
  /** Rows that are put together at most. Default: the largest size. */
  readonly most?: number | undefined
  /** Milliseconds from call to answer that a request may take: no run is formed that is expected to make one of its requests later. Default: none. */
  readonly budget?: number | undefined
  /** Name of the dimension whose elements are rows. Default `batch`. */
  readonly dim?: string | undefined
  /** For entries without dimensions: the size of the first axis of all tensors that have rows. */
  readonly rows?: number | undefined
  /**
   * Other dimensions whose padding the model leaves out of account by itself, as an attention mask among its inputs does: rows of unlike
   * lengths of the same bucket then share a run. Where the compiler made the model follow the length, rows share one only at equal lengths otherwise.
   */
  readonly masked?: readonly string[] | undefined
}

/** Runs an entry of the bundle once: `write` fills its inputs before it returns, `read` sees the outputs before it resolves. */
export type RunEntry = (
  entry: string,
  io: { write(inputs: readonly TensorArray[]): void; read(outputs: readonly TensorArray[]): void },
  options: {
    readonly priority: number
    readonly signal: AbortSignal
    readonly batch: BatchInfo
    /** It is not run again where a card is lost by it. */
    readonly once: boolean
  },
) => Promise<void>

export interface BatcherSetting {
  readonly name: string
  readonly entry: RowEntry
  readonly run: RunEntry
  readonly options: BatchOptions
  /** Rows of requests that may wait: more are refused. */
  readonly queue: number
  /** Runs that may be under way at once: more would wait where nothing can join them any more. */
  capacity(): number
  readonly model: string
  /** A number for a request that no other has. */
  nextId(): number
  /** Throws where no requests are taken. */
  admit(): void
  observe(): Observe | undefined
}

export interface Batcher {
  run(inputs: unknown, options?: RequestOptions<any>): Promise<Record<string, TensorValue>>
  readonly isBusy: boolean
  /** From now on none waits for others. Resolves when all have been answered. */
  drain(): Promise<void>
  /** What waits fails with this error, and all that comes. What runs goes on. */
  close(error: GlowplugError): void
}

/** One call, until it is answered. */
interface Request {
  readonly id: number
  readonly staged: Staged
  readonly priority: number
  /** Runs that it still waits for. */
  left: number
  /** Pieces of it that wait. */
  queued: number
  done: boolean
  readonly runs: Set<SharedRun>
  settle(error?: unknown): void
}

/** A run under way: of no more use when none of its requests wants an answer. */
interface SharedRun {
  wanted: number
  readonly stop: AbortController
}

/** Rows of a request that run together. */
interface Piece extends Waiting {
  readonly request: Request
  readonly from: number
  /** It has been in a run that a card was lost by. */
  readonly suspected: boolean
}

/** Puts rows of requests together, runs them, and hands each request its own. */
export function createBatcher(setting: BatcherSetting): Batcher {
  const { model, name: callers, entry, run, queue, capacity, nextId, admit, observe } = setting
  const { delay = 0, most = Infinity, budget = Infinity } = setting.options
  const now = () => performance.now()

  const expected = createExpected()
  const named = (piece: Piece, size: number) => piece.request.staged.entryFor(size)
  const rules = (hurried: boolean) => ({
    sizes: entry.sizes,
    most,
    delay: hurried ? 0 : delay,
    milliseconds: (piece: Piece, size: number) => expected.milliseconds(named(piece, entry.sizes[0]!), size),
  })
  let current = rules(false)
  let waiting: Piece[] = []
  let pieces = 0
  let running = 0
  let closed: GlowplugError | undefined
  let timer: NodeJS.Timeout | undefined
  let isPumping = false
  const open = createCount()

  /** Forms runs when all that is called in one go has come. */
  function pumpSoon(): void {
    if (isPumping) return
    isPumping = true
    queueMicrotask(() => {
      isPumping = false
      pump()
    })
  }

  function pump(): void {
    clearTimeout(timer)
    while (waiting.length > 0 && running < capacity()) {
      const decision = decide(waiting, current, now())
      if (!decision) return
      if ('wake' in decision) {
        timer = setTimeout(pump, Math.max(0, decision.wake - now()))
        return
      }
      const taken = new Set(decision.members)
      waiting = waiting.filter((piece) => !taken.has(piece))
      for (const { request } of taken) request.queued--
      void start(decision.members, decision.rows, decision.size)
    }
  }

  async function start(members: readonly Piece[], rows: number, size: number): Promise<void> {
    const [first] = members as readonly [Piece, ...Piece[]]
    const name = named(first, size)
    const begun = now()
    const requests = new Set(members.map(({ request }) => request))
    const stop = new AbortController()
    const shared: SharedRun = { wanted: requests.size, stop }
    for (const request of requests) request.runs.add(shared)
    const batch: BatchInfo = {
      ...{ requests: [...requests].map(({ id }) => id), rows, size },
      waited: begun - Math.min(...members.map(({ arrived }) => arrived)),
    }
    running++
    try {
      await run(
        name,
        {
          write(inputs) {
            let at = 0
            for (const { request, from, rows } of members) {
              request.staged.write(from, from + rows, inputs, at)
              at += rows
            }
            first.request.staged.finish(inputs, at)
          },
          read(outputs) {
            let at = 0
            for (const { request, from, rows } of members) {
              if (!request.done) attempt(request, () => request.staged.read(from, from + rows, outputs, at))
              at += rows
            }
          },
        },
        {
          ...{ priority: Math.min(...members.map(({ priority }) => priority)), signal: stop.signal, batch },
          once: requests.size > 1 || first.suspected,
        },
      )
      expected.measured(named(first, entry.sizes[0]!), size, now() - begun)
      for (const { request } of members) if (--request.left === 0) request.settle()
    } catch (error) {
      const code = error instanceof GlowplugError ? error.code : ''
      const suspected = code === 'card-lost'
      // One of them may be at fault: each runs again by itself, which the others then do not see.
      if (requests.size > 1 && (suspected || code === 'run-fault') && !closed)
        for (const piece of members) {
          if (piece.request.done) continue
          piece.request.queued++
          waiting.push({ ...piece, key: `${piece.key}\nalone ${piece.id}`, suspected })
        }
      else for (const request of requests) request.settle(error)
    } finally {
      for (const request of requests) request.runs.delete(shared)
      running--
      pump()
    }
  }

  function attempt(request: Request, body: () => void): void {
    try {
      body()
    } catch (error) {
      request.settle(error)
    }
  }

  return {
    // Up to its first await this runs at once: inputs are copied before the caller goes on.
    async run(inputs, options = {}) {
      const { into, priority = 0, deadline } = options
      if (closed) throw closed
      checkRequest(model, options)
      admit()
      const staged = entry.stage(inputs, into)
      const arrived = now()
      const due = arrived + Math.min(budget, deadline ?? Infinity)
      const largest = entry.sizes.at(-1)!
      const parts =
        staged.rows <= largest
          ? [staged.rows]
          : cover(staged.rows, entry.sizes, (size) => expected.milliseconds(staged.entryFor(entry.sizes[0]!), size))
      if (waiting.length + parts.length > queue && waiting.length > 0) {
        observe()?.({ kind: 'refused', code: 'request-refused', entry: callers, time: arrived })
        fail('request-refused', `model '${model}' has ${waiting.length} parts of requests waiting; try again later`)
      }
      const id = nextId()
      const { bytes } = staged
      observe()?.({ kind: 'request', request: id, entry: callers, time: arrived, bytes: bytes.inputs, priority })

      await new Promise<void>((resolve, reject) => {
        const request: Request = {
          ...{ id, staged, priority, left: parts.length, queued: parts.length, done: false, runs: new Set() },
          settle(error) {
            if (request.done) return
            request.done = true
            unwatch()
            if (request.queued > 0) waiting = waiting.filter((piece) => piece.request !== request)
            if (error === undefined) resolve()
            else reject(error)
            const time = now()
            observe()?.({
              ...{ kind: 'answered', request: id, time, milliseconds: time - arrived, bytes: error ? 0 : bytes.outputs },
              error: error as GlowplugError | undefined,
            })
            open.remove()
            for (const shared of request.runs) if (--shared.wanted === 0) shared.stop.abort()
          },
        }
        open.add()
        const unwatch = watchFate(model, options, (error) => request.settle(error))
        let from = 0
        for (const size of parts) {
          const rows = Math.min(size, staged.rows - from)
          waiting.push({ ...{ id: pieces++, rows, priority, key: staged.key, arrived, due, request, from, suspected: false } })
          from += rows
        }
        pumpSoon()
      })
      return staged.result()
    },
    get isBusy() {
      return open.size > 0
    },
    drain() {
      current = rules(true)
      pump()
      return open.zero()
    },
    close(error) {
      closed = error
      clearTimeout(timer)
      for (const request of new Set(waiting.map((piece) => piece.request))) request.settle(error)
    },
  }
}
