import { dtypeFacts } from '../../compiler/graph/dtype.ts'
import type { Node } from '../../compiler/graph/node.ts'
import { blockedShape, type CompositeName, definitionOf } from '../../compiler/graph/ops/index.ts'
import { controlScratch, isControl } from '../../compiler/memory/control.ts'
import type { Target } from '../../compiler/target.ts'
import { mayShare, packingOf, scratchBytes, storesAs, storesRows } from './function.ts'
import { type Level, lanesOf } from './level.ts'
import { type Row, rows } from './rows.ts'
import { isVectorProgram } from './steps.ts'

/** What a target that compiles this C answers to the compiler at a level, whatever becomes of the C. */
export type Answers = Pick<
  Target,
  | 'keeps'
  | 'lowers'
  | 'precision'
  | 'channelBlock'
  | 'channelsAtOnce'
  | 'blocks'
  | 'fusesAfter'
  | 'fusesBefore'
  | 'runsTogether'
  | 'rates'
  | 'maximumSteps'
  | 'inPlace'
  | 'storesRows'
  | 'scratch'
  | 'pack'
  | 'stores'
  | 'alignment'
>

/** Whether there is C for an op. */
export const hasKernel = (op: string): boolean => Object.hasOwn(rows, op)

/** The row of an op that there is C for. */
const rowOf = (op: string): Row | undefined => (hasKernel(op) ? rows[op as keyof typeof rows] : undefined)

/** A convolution as it would be over blocks of channels. */
function inBlocks(convolution: Node, block: number): Pick<Node, 'type' | 'operands' | 'attributes'> {
  const blocked = ({ type: { dtype, shape } }: Node) => ({ dtype, shape: blockedShape(shape, block) })
  const [input, ...others] = convolution.operands
  return {
    type: blocked(convolution),
    operands: [{ ...input!, type: blocked(input!) }, ...others],
    attributes: { ...convolution.attributes, block },
  }
}

export const answersAt = (level: Level): Answers => ({
  keeps: new Set(
    (Object.keys(rows) as (keyof typeof rows)[]).filter(
      (op): op is keyof typeof rows & CompositeName => definitionOf(op).kind === 'composite',
    ),
  ),
  lowers: (node) => {
    const row = rowOf(node.op)
    return row?.kind === 'template' && row.lowers?.(node, level) === true
  },
  ...(level.precision && { precision: level.precision }),
  channelBlock: lanesOf(level),
  channelsAtOnce: level.multiplyAdd.half ? lanesOf(level) / 2 : lanesOf(level),
  blocks: (convolution) => {
    const row = rowOf(convolution.op === 'conv' ? 'blockedConv' : 'blockedConvInteger')
    return row?.kind === 'template' && row.lowers?.(inBlocks(convolution, lanesOf(level)), level) !== true
  },
  // What checks its operands stops the call before anything is written; where it cannot go on in vectors, it stays alone.
  fusesAfter: (anchor) => {
    if (!definitionOf(anchor.op).traits.includes('checked')) return true
    const row = rowOf(anchor.op)
    return row?.kind === 'template' && row.follows?.(anchor) === true
  },
  fusesBefore: (anchor) => dtypeFacts[anchor.type.dtype].kind !== 'bool',
  runsTogether: (merged, parts) => isVectorProgram(merged.steps) || !parts.some((part) => isVectorProgram(part.steps)),
  // One core of a small server: about one vector operation a cycle, cache of the second level.
  rates: {
    operationsPerSecond: lanesOf(level) * 3e9,
    bytesPerSecond: 1e10,
    cachedBytesPerSecond: 4e10,
    cachedBytes: 2 ** 20,
    callNanoseconds: 20,
  },
  maximumSteps: 48,
  inPlace: (kernel, index, result) => !isControl(kernel) && mayShare(kernel, index, result, level),
  storesRows: (kernel) => !isControl(kernel) && storesRows(kernel, level),
  scratch: (kernel) => (isControl(kernel) ? controlScratch(kernel) : scratchBytes(kernel, level)),
  pack: (kernel, index) => (isControl(kernel) ? undefined : packingOf(kernel, index, level)),
  stores: (kernel, index, as) => !isControl(kernel) && storesAs(kernel, index, as, level),
  alignment: 64,
})
