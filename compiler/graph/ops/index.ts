import type { z } from 'zod'
import type { OpDefinition, Trait } from '../definition.ts'
import type { Node } from '../node.ts'
import * as activation from './activation.ts'
import { attention } from './attention.ts'
import { blockedConv, blockedConvInteger } from './blocked.ts'
import { blockLinear, dequantizeBlocks } from './blocks.ts'
import { branch, loop, resultOf } from './control.ts'
import * as elementwise from './elementwise.ts'
import { bagOffsets, embeddingBag, raggedEmbeddingBag } from './embeddingBag.ts'
import { gatherElements, gatherNd, oneHot, scatterElements, scatterNd } from './indexing.ts'
import * as movement from './movement.ts'
import * as normalization from './normalization.ts'
import * as order from './order.ts'
import * as product from './product.ts'
import * as quantized from './quantized.ts'
import { gru, lstm, recurrence, rnn } from './recurrent.ts'
import * as reduce from './reduce.ts'
import { regionPool } from './regions.ts'
import { rotaryEmbedding } from './rotaryEmbedding.ts'
import { gridSample } from './sampling.ts'
import { suppressedBoxes, truePositions } from './selection.ts'
import * as storage from './storage.ts'
import * as windowOps from './window.ts'

export { blockedShape } from './blocked.ts'
export { type ResultLayout, resultsOf } from './control.ts'
export {
  type RecurrentActivation,
  type RecurrentCell,
  recurrentActivations,
  recurrentCells,
  reversals,
} from './recurrent.ts'

/** Every op of the graph language, by name. */
export const ops = {
  ...storage,
  ...elementwise,
  ...activation,
  ...movement,
  gatherElements,
  gatherNd,
  scatterElements,
  scatterNd,
  oneHot,
  ...order,
  truePositions,
  suppressedBoxes,
  ...windowOps,
  ...product,
  ...quantized,
  dequantizeBlocks,
  blockLinear,
  blockedConv,
  blockedConvInteger,
  ...reduce,
  ...normalization,
  attention,
  bagOffsets,
  embeddingBag,
  raggedEmbeddingBag,
  rotaryEmbedding,
  gridSample,
  regionPool,
  lstm,
  gru,
  rnn,
  recurrence,
  loop,
  branch,
  resultOf,
} as const

export type Ops = typeof ops
export type OpName = keyof Ops
export type PrimitiveName = { [K in OpName]: Ops[K]['kind'] extends 'primitive' ? K : never }[OpName]
export type ControlName = { [K in OpName]: Ops[K]['kind'] extends 'control' ? K : never }[OpName]
export type CompositeName = Exclude<OpName, PrimitiveName | ControlName>
export type StorageName = 'input' | 'constant'
export type AttributesOf<K extends OpName> = z.output<Ops[K]['attributes']>
/** What a caller may write: defaults may be left out. */
export type AttributesIn<K extends OpName> = z.input<Ops[K]['attributes']>
/** Operands by name, as values of type V; `many` is a list, `optional` may be missing. */
export type OperandsOf<K extends OpName, V = Node> = {
  readonly [N in keyof Ops[K]['operands'] as Ops[K]['operands'][N] extends { count: 'optional' }
    ? never
    : N]: Ops[K]['operands'][N] extends { count: 'many' } ? readonly V[] : V
} & {
  readonly [N in keyof Ops[K]['operands'] as Ops[K]['operands'][N] extends { count: 'optional' } ? N : never]?: V | undefined
}

export const isOpName = (name: string): name is OpName => Object.hasOwn(ops, name)

export function definitionOf(name: string): OpDefinition {
  const definition = (ops as Readonly<Record<string, OpDefinition>>)[name]
  if (!definition || !isOpName(name)) throw new Error(`unknown op '${name}'`)
  return definition
}

export const hasTrait = (node: Node, trait: Trait): boolean => definitionOf(node.op).traits.includes(trait)
/** Whether a node has no lowering: primitives, and what runs graphs of its own. */
export const isPrimitive = (node: Node): boolean => definitionOf(node.op).kind !== 'composite'

/** A node's operands under the names of its definition. */
export function operandsOf<K extends OpName>(node: Node): OperandsOf<K> {
  return nameOperands(node.op, node.operands) as never
}

/** Names of operands in order, and whether the one operand is a list; asked for at every node that a rule looks at. */
const operandNames = new Map<string, { readonly names: readonly string[]; readonly many: boolean }>()

function namesOf(op: string): { readonly names: readonly string[]; readonly many: boolean } {
  const known = operandNames.get(op)
  if (known) return known
  const specs = Object.entries(definitionOf(op).operands)
  const found = { names: specs.map(([name]) => name), many: specs[0]?.[1].count === 'many' }
  operandNames.set(op, found)
  return found
}

/** A list with one entry for each operand of an op, such as their types, under the operands' names. */
export function nameOperands(op: string, list: readonly unknown[]): Readonly<Record<string, unknown>> {
  const { names, many } = namesOf(op)
  if (many) return { [names[0]!]: list }
  const named: Record<string, unknown> = {}
  for (const [i, name] of names.entries()) named[name] = list[i]
  return named
}
export const attributesOf = <K extends OpName>(node: Node): AttributesOf<K> => node.attributes as never
