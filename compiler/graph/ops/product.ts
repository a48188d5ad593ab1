import { composite, primitive } from '../definition.ts'
import { reject } from '../problem.ts'
import { printType } from '../type.ts'
import { inferMatmul } from './geometry.ts'
import { floats, none, one, optional, requireSameDType, withShape } from './shared.ts'

/** Sums of integers wrap. */
const factors = [...floats, 'i32', 'u32', 'i64', 'u64'] as const

export const matmul = primitive({
  name: 'matmul',
  summary: 'Matrix product of the last two dimensions; the others broadcast',
  operands: { left: one('[…, rows, inner]', factors), right: one('[…, inner, columns]', factors) },
  attributes: none,
  traits: ['pure', 'anchor'],
  infer: ({ left, right }) => {
    requireSameDType(left, right, 'matmul', ['left', 'right'])
    return withShape(left, inferMatmul(left, right, 'matmul'))
  },
})

export const linear = composite({
  name: 'linear',
  summary: 'Input times transposed weight, plus bias',
  operands: { input: one('[…, in]', floats), weight: one('[out, in]', floats), bias: optional('[out]', floats) },
  attributes: none,
  traits: ['pure', 'anchor'],
  infer: ({ input, weight, bias }) => {
    requireSameDType(input, weight, 'linear', ['input', 'weight'])
    if (input.shape.length < 1) reject('rank-mismatch', 'linear: input needs at least one dimension')
    if (weight.shape.length !== 2) reject('rank-mismatch', `linear: weight must be [out, in], got ${printType(weight)}`)
    const [out, expected] = weight.shape as [number, number]
    if (input.shape.at(-1) !== expected) {
      reject(
        'shape-mismatch',
        `linear: input ${printType(input)} has ${input.shape.at(-1)} features, weight ${printType(weight)} expects ${expected}`,
      )
    }
    if (bias) {
      requireSameDType(input, bias, 'linear', ['input', 'bias'])
      if (bias.shape.length !== 1 || bias.shape[0] !== out)
        reject('shape-mismatch', `linear: bias must be [${out}], got ${printType(bias)}`)
    }
    return withShape(input, [...input.shape.slice(0, -1), out])
  },
})
