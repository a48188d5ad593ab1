// Weights of a direct convolution that are stored in 16 bits, in working storage as f32, where tiles cannot widen them as they read.
import type { Level } from '../../level.ts'
import { sharedLoop, teamWait } from '../../team.ts'
import { block, type Lines } from '../../text.ts'
import type { Operands } from './operands.ts'
import { panelElements, panelsOf } from './panels.ts'
import type { Plan } from './plan.ts'

/**
 * Where panels are outermost, each thread widens the panels it comes to, which then stay in its caches; else all weights are widened at the
 * beginning, of which there are few then.
 */
export interface Expansion {
  readonly of: 'call' | 'panel'
  readonly bytes: number
  /** Before all else, of `call`. */
  readonly lines: (level: Level) => Lines
  /** Before each run of panels. */
  readonly before: Lines
  /** Before what is done with a panel: its `count` elements from `weights` on. */
  readonly panel: (weights: string, count: number) => Lines
  /** C expression of where they lie. */
  readonly weight: (weights: string) => string
}

/** Elements that a thread widens at a time. */
const elementsAtOnce = 4096

export function expansionOf({ sizes, stored }: Operands, plan: Plan): Expansion {
  const panels = panelsOf(sizes, plan.vectors)
  const total = panelElements(sizes, panels)
  const widen = `gp_widen_${stored}`
  if (plan.outer === 'panels') {
    const largest = Math.max(...panels.map((panel) => panelElements(sizes, [panel])))
    return {
      of: 'panel',
      bytes: 4 * largest,
      lines: () => [],
      before: ['held = -1;'],
      panel: (weights, count) =>
        block('if (panel != held)', [`${widen}((f32 *)own, x1 + (${weights}), ${count});`, 'held = panel;']),
      weight: () => '(const f32 *)own',
    }
  }
  const pieces = Math.ceil(total / elementsAtOnce)
  return {
    of: 'call',
    bytes: 4 * total,
    lines: (level) => [
      ...sharedLoop(level, 'piece', 0, pieces, 1, [
        `const long at = piece * ${elementsAtOnce};`,
        `${widen}((f32 *)scratch + at, x1 + at, gp_least(${elementsAtOnce}, ${total} - at));`,
      ]),
      ...teamWait(level),
    ],
    before: [],
    panel: () => [],
    weight: (weights) => `(const f32 *)scratch + (${weights})`,
  }
}
