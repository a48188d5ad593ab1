import type { OpName, TensorType } from '../../graph/index.ts'
import type { Range } from '../range.ts'
import { broadcastNeed, type Part, type SplitRule, type Whole } from '../rule.ts'

/** Result i comes from operands at i, or from the one element that is repeated there. */
export function splitElementwise<K extends OpName>({ operands, type }: Whole<K>, axis: number, range: Range): Part<K> {
  const needs = Object.entries(operands).map(([name, operand]) => [
    name,
    operand && broadcastNeed(operand as TensorType, type, axis, range),
  ])
  return { needs: Object.fromEntries(needs) }
}

const rule: SplitRule<any> = splitElementwise

export const elementwiseRules = {
  negate: rule,
  abs: rule,
  sign: rule,
  floor: rule,
  ceil: rule,
  round: rule,
  sqrt: rule,
  exp: rule,
  log: rule,
  sin: rule,
  cos: rule,
  erf: rule,
  tanh: rule,
  sigmoid: rule,
  tan: rule,
  asin: rule,
  acos: rule,
  atan: rule,
  sinh: rule,
  cosh: rule,
  asinh: rule,
  acosh: rule,
  atanh: rule,
  not: rule,
  isNaN: rule,
  cast: rule,
  add: rule,
  sub: rule,
  mul: rule,
  div: rule,
  pow: rule,
  mod: rule,
  minimum: rule,
  maximum: rule,
  equal: rule,
  less: rule,
  lessOrEqual: rule,
  and: rule,
  or: rule,
  xor: rule,
  bitwiseAnd: rule,
  bitwiseOr: rule,
  bitwiseXor: rule,
  shiftLeft: rule,
  shiftRight: rule,
  where: rule,
} as const
