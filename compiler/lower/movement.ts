import type { AttributesOf } from '../graph/index.ts'
import { type LoweringRule, pick } from './scope.ts'

const embedding: LoweringRule<'embedding'> = ({ indices, table }, _, g) =>
  g.node('gather', { input: table, indices }, { axis: 0 })

type PadMode = AttributesOf<'padWith'>['mode']

/** Where element i of the padded axis, counted from the first original one, comes from. */
const continued: Readonly<Record<PadMode, (i: number, extent: number) => number>> = {
  reflect: (i, extent) => (i < 0 ? -i : i >= extent ? 2 * (extent - 1) - i : i),
  edge: (i, extent) => Math.min(extent - 1, Math.max(0, i)),
  wrap: (i, extent) => (i + extent) % extent,
}

const padWith: LoweringRule<'padWith'> = ({ input }, { before, after, mode }, g) =>
  input.type.shape.reduce((padded, extent, axis) => {
    const length = before[axis]! + extent + after[axis]!
    return pick(
      g,
      padded,
      axis,
      Array.from({ length }, (_, i) => continued[mode](i - before[axis]!, extent)),
    )
  }, input)

export const movementRules = { embedding, padWith }
