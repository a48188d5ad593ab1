import { type Graph, type Node, takeOrigin, verifyGraph } from '../graph/index.ts'
import type { Application, Pass, PassContext } from '../passes/index.ts'
import type { Evaluate } from '../target.ts'
import { type PassList, printPassList } from './passList.ts'
import { failureOf } from './reproducer.ts'

/** One run of one pass. */
export interface PassRecord {
  readonly phase: string
  readonly pass: string
  /** Counts from 1 within an until-stable loop. */
  readonly round: number
  readonly changed: boolean
  readonly milliseconds: number
  readonly nodesBefore: number
  readonly nodesAfter: number
  /** The rewrites it made, in order. */
  readonly applications: readonly Application[]
}

/** What one run of a pass did to the graph; `before` is `graph` where it did nothing. */
export interface PassChange {
  readonly before: Graph
  readonly graph: Graph
  /** What each node became, used any longer or not; absent where nothing changed. */
  readonly became?: ReadonlyMap<Node, Node>
}

export interface RunOptions {
  readonly phase: string
  readonly evaluate: Evaluate
  /** Verifies after every pass. */
  readonly verify: boolean
  readonly assumeFinite: boolean
  /** Counts down with every rewrite, over all phases. */
  readonly budget: { applications: number }
  /** Called after every pass; true stops the run. */
  readonly after: (record: PassRecord, change: PassChange) => boolean
}

/** The graph after all passes, and whether the run was stopped before that. Throws CompileError with a reproducer. */
export function runPasses(
  graph: Graph,
  list: PassList,
  options: RunOptions,
): { readonly graph: Graph; readonly stopped: boolean } {
  let current = graph
  /** The graph in which a pass last found nothing: it is not asked about the same one twice. */
  const idle = new Map<Pass, Graph>()
  // Where it came from is not for the first pass to tell.
  takeOrigin(graph)
  const run = (entries: PassList, round: number, rest: (index: number) => PassList): boolean => {
    for (const [index, entry] of entries.entries()) {
      if (entry.kind === 'untilStable') {
        for (let turn = 1; turn <= entry.limit; turn++) {
          const before = current
          const again = { ...entry, limit: Math.max(1, entry.limit - turn) }
          if (run(entry.entries, turn, (inner) => [...entry.entries.slice(inner), again, ...rest(index + 1)])) return true
          if (current === before) break
        }
        continue
      }
      const { pass } = entry
      const applications: Application[] = []
      const started = performance.now()
      try {
        const next = idle.get(pass) === current ? current : pass.run(current, createContext(options, applications))
        if (next === current) idle.set(pass, current)
        if (next !== current && options.verify) verifyGraph(next)
        const milliseconds = performance.now() - started
        const changed = next !== current
        const record = {
          phase: options.phase,
          pass: pass.name,
          round,
          changed,
          milliseconds,
          nodesBefore: current.nodes.length,
          nodesAfter: next.nodes.length,
          applications,
        }
        const became = changed ? takeOrigin(next) : undefined
        const before = current
        current = next
        if (options.after(record, { before, graph: next, ...(became && { became }) })) return true
      } catch (error) {
        throw failureOf(`pass ${pass.name}`, error, () => ({
          graph: current,
          phase: options.phase,
          remaining: printPassList(rest(index)),
        }))
      }
    }
    return false
  }
  const stopped = run(list, 1, (index) => list.slice(index))
  return { graph: current, stopped }
}

function createContext({ evaluate, assumeFinite, budget }: RunOptions, applications: Application[]): PassContext {
  return {
    evaluate,
    assumeFinite,
    apply: (application) => {
      if (budget.applications <= 0) return false
      budget.applications--
      applications.push(application)
      return true
    },
  }
}
