import type { State } from './state.ts'

/** Moves and exchanges at most; each looks at all parts of one holder against all others. */
const mostSteps = 400

interface Step {
  readonly part: number
  readonly to: number
  /** The part that takes its place, where two are exchanged. */
  readonly other?: number
  /** Seconds of the fuller of both holders afterwards. */
  readonly after: number
}

/** The best move or exchange of a part of the fullest holder; undefined where none leaves both holders with less to do than it had. */
function bestStep(state: State, fullest: number): Step | undefined {
  const { at, free, load, bytes, seconds, holders } = state
  let best: Step | undefined
  const consider = (step: Step) => {
    if (step.after < load[fullest]! && (!best || step.after < best.after)) best = step
  }
  const inside = at.flatMap((holder, part) => (holder === fullest ? [part] : []))
  for (const part of inside)
    for (let to = 0; to < holders; to++) {
      if (to === fullest || bytes[part]! > free[to]!) continue
      consider({ part, to, after: Math.max(load[fullest]! - seconds[part]![fullest]!, load[to]! + seconds[part]![to]!) })
    }
  for (const part of inside)
    at.forEach((to, other) => {
      if (to === fullest) return
      const growth = bytes[other]! - bytes[part]!
      if (growth > free[fullest]! || -growth > free[to]!) return
      const here = load[fullest]! - seconds[part]![fullest]! + seconds[other]![fullest]!
      const there = load[to]! - seconds[other]![to]! + seconds[part]![to]!
      consider({ part, to, other, after: Math.max(here, there) })
    })
  return best
}

/** Moves and exchanges parts while that leaves the fullest holder with less to do. */
export function improve(state: State): void {
  for (let step = 0; step < mostSteps; step++) {
    const fullest = state.load.indexOf(Math.max(...state.load))
    const found = bestStep(state, fullest)
    if (!found) return
    state.put(found.part, found.to)
    if (found.other !== undefined) state.put(found.other, fullest)
  }
}
