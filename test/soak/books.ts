// Who asked what and was told what: nothing may be lost, told twice, or wrong.
import type { ServeEvent, Server } from '../../targets/runtime/serve/index.ts'

type Results = Readonly<Record<string, { readonly data: ArrayLike<number | bigint> }>>

/** What the answer of a request may be. */
export interface Asked {
  /** What is expected, where the model is not made to fail. */
  readonly expected?: Readonly<Record<string, ArrayLike<number | bigint>>> | undefined
  /** The model refuses it. */
  readonly fault?: boolean | undefined
  /** It ends or hangs the card that it runs on. */
  readonly deadly?: boolean | undefined
  /** It has its card for itself alone, and is not tried again on another. */
  readonly pinned?: boolean | undefined
  readonly deadline?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Book {
  /** Writes down what comes of a request and gives it: `answered`, or a code. Never throws. */
  ask(asked: Asked, run: () => Promise<Results>): Promise<string>
  /** From now on requests may be refused because it closes. */
  closing(): void
  /** What is wrong where something is, in words. */
  end(): readonly string[]
  readonly outstanding: number
  readonly asked: number
  /** How many requests ended in which way: `answered`, or a code. */
  readonly counts: Readonly<Record<string, number>>
  /** Cards that were lost or did not answer, so far. */
  readonly losses: number
  wrong(text: string): void
}

const isEqual = (got: ArrayLike<number | bigint>, expected: ArrayLike<number | bigint>): boolean =>
  got.length === expected.length && Array.prototype.every.call(got, (value, i) => Object.is(value, expected[i]))

/** How much a report of what is wrong says at most. */
const longest = 20

/** @param queue requests that may wait: none is refused where fewer have no answer */
export function createBook(lane: string, server: Server, queue: number): Book {
  const counts: Record<string, number> = {}
  const problems: string[] = []
  /** Requests that the server has let in, and not told the end of. */
  const open = new Set<number>()
  let [asked, outstanding, losses, more] = [0, 0, 0, 0]
  let closing = false

  function wrong(text: string): void {
    if (problems.length < longest) problems.push(`${lane}: ${text}`)
    else more++
  }

  const unwatch = server.watch((event: ServeEvent) => {
    if (event.kind === 'card' && (event.state === 'lost' || event.state === 'quarantined')) losses++
    if (event.kind === 'request') {
      if (open.has(event.request)) wrong(`request ${event.request} came twice`)
      open.add(event.request)
    }
    if (event.kind === 'answered' && !open.delete(event.request)) wrong(`request ${event.request} was answered twice`)
  })

  /** Why the answer is wrong; undefined where it may be. */
  function judge(request: Asked, results: Results): string | undefined {
    if (request.fault) return 'a request that the model refuses was answered'
    for (const [name, values] of Object.entries(request.expected ?? {})) {
      const got = results[name]?.data
      if (!got || !isEqual(got, values))
        return `expected ${name} [${Array.from(values).slice(0, 4)}], got [${got && Array.from(got).slice(0, 4)}]`
    }
    return undefined
  }

  /** Why a request may not fail so; undefined where it may. */
  function judgeError(
    request: Asked,
    code: string,
    before: { readonly losses: number; readonly outstanding: number; readonly since: number },
  ) {
    const lost = losses - before.losses
    const may: Readonly<Record<string, () => boolean>> = {
      'run-fault': () => request.fault === true,
      'run-aborted': () => request.signal?.aborted === true,
      'deadline-exceeded': () => request.deadline !== undefined && performance.now() - before.since >= request.deadline - 1,
      'request-refused': () => before.outstanding >= queue,
      // Tried again once: it takes two losses, a request that brings them about, or one that leaves no card to try it again.
      'card-lost': () =>
        request.deadly === true ||
        lost >= (request.pinned ? 1 : 2) ||
        (lost > 0 && server.info.cards.some(({ state }) => state === 'quarantined' || state === 'failed')),
      'card-unavailable': () => lost > 0 || server.info.cards.some(({ state }) => state !== 'ready'),
      'session-lost': () => losses > 0,
      closed: () => closing,
      draining: () => closing,
    }
    return may[code]?.() ? undefined : `failed with ${code} after ${lost} losses of cards`
  }

  return {
    async ask(request, run) {
      const before = { losses, outstanding, since: performance.now() }
      asked++
      outstanding++
      let outcome = 'answered'
      let problem: string | undefined
      try {
        problem = judge(request, await run())
      } catch (error) {
        const { code, message } = error as { readonly code?: string; readonly message: string }
        outcome = code ?? 'unknown'
        problem = judgeError(request, outcome, before)
        if (problem) problem += `: ${message}`
      }
      outstanding--
      counts[outcome] = (counts[outcome] ?? 0) + 1
      if (problem) wrong(problem)
      return outcome
    },
    closing() {
      closing = true
    },
    end() {
      unwatch()
      const sum = Object.values(counts).reduce((all, count) => all + count, 0)
      if (outstanding > 0 || sum !== asked) wrong(`${asked - sum} of ${asked} requests were never answered`)
      if (open.size > 0) wrong(`the server has not told the end of requests ${[...open].slice(0, 5)}`)
      return more > 0 ? [...problems, `${lane}: and ${more} more`] : problems
    },
    get outstanding() {
      return outstanding
    },
    get asked() {
      return asked
    },
    get losses() {
      return losses
    },
    counts,
    wrong,
  }
}
