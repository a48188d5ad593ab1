import { type DType, dtypeFacts, isFloat, isInteger } from '../graph/index.ts'
import { asOp } from './match.ts'
import { rule, rulePass } from './rule.ts'

/** Bits of the largest range of whole numbers that a dtype holds exactly, and of its exponent. */
const precision: Readonly<Record<string, readonly [number, number]>> = {
  f64: [53, 11],
  f32: [24, 8],
  f16: [11, 5],
  bf16: [8, 8],
  f8e4m3: [4, 4],
  f8e5m2: [3, 5],
}

/** Whether each value of `from` is a value of `to`. */
export function widens(from: DType, to: DType): boolean {
  if (from === to || from === 'bool') return true
  const [a, b] = [dtypeFacts[from], dtypeFacts[to]]
  const [p, q] = [precision[from], precision[to]]
  // f8e4m3 has no infinities and f16 has; the other way round values would be lost.
  if (p && q) return p[0] <= q[0] && p[1] <= q[1]
  if (p || to === 'bool') return false
  const bits = 8 * a.bytes - (a.kind === 'signed' ? 1 : 0)
  if (q) return bits <= q[0] && bits <= 2 ** (q[1] - 1)
  return a.kind === 'unsigned' ? bits <= 8 * b.bytes - (b.kind === 'signed' ? 1 : 0) : b.kind === 'signed' && a.bytes <= b.bytes
}

const identity = rule({
  name: 'cast-to-same',
  note: 'cast(x, dtype of x) → x',
  root: 'cast',
  match: (node) => node.type.dtype === node.operands[0]!.type.dtype && {},
  apply: (_, __, node) => node.operands[0]!,
})

/**
 * OP-30. From an integer through a float to an integer saturates where the direct way keeps the low bits: left alone unless the result
 * holds every value.
 */
const through = rule({
  name: 'cast-of-widening-cast',
  note: 'cast(cast(x, wider), to) → cast(x, to)',
  root: 'cast',
  match: (node) => {
    const inner = asOp(node.operands[0], 'cast')
    if (!inner) return undefined
    const [from, middle, to] = [inner.operands.input.type.dtype, inner.node.type.dtype, node.type.dtype]
    const saturates = isInteger(from) && isFloat(middle) && isInteger(to) && !widens(from, to)
    return widens(from, middle) && !saturates && { through: [inner.node], input: inner.operands.input }
  },
  apply: ({ input }, builder, node) => builder.add('cast', { input }, asOp(node, 'cast')!.attributes),
})

/**
 * Casts vanish where the dtype stays, and skip a wider dtype on the way.
 *
 *     %1 = cast(%0) {dtype: "f64"}
 *     %2 = cast(%1) {dtype: "f16"}   →   %1 = cast(%0) {dtype: "f16"}
 */
export const simplifyCast = rulePass({
  name: 'simplify-cast',
  summary: 'Drop casts that change nothing',
  level: 'any',
  rules: [identity, through],
})
