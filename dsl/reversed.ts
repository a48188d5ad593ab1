import { isInteger, reject } from '../compiler/graph/index.ts'
import { readAxis, readOptions } from './check.ts'
import { constant } from './constant.ts'
import { cast, sub } from './elementwise.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'

type Any = Tensor<any, any>

/**
 * Sequences of different lengths, each turned round: what lies behind the end of a sequence stays where it is (ONNX ReverseSequence 10).
 * @param input at least two dimensions, any element type
 * @param lengths `[sequences]`, integers from 0 to the size of the axis: how long each sequence is
 * @param options `axis` along which sequences run, default 1; `batchAxis`, at whose places they stand, default 0
 */
export function reverseSequence<X extends Tensor>(
  input: X,
  lengths: Tensor,
  options?: { readonly axis?: number; readonly batchAxis?: number },
): X {
  const op = 'reverseSequence'
  const given = readOptions(op, options, ['axis', 'batchAxis'])
  const { shape } = nodeOf(input, op, 'input').type
  const { dtype, shape: counts } = nodeOf(lengths, op, 'lengths').type
  if (shape.length < 2) reject('rank-mismatch', `${op}: input must have two dimensions or more, got [${shape.join(', ')}]`)
  const along = readAxis(op, given.axis ?? 1, shape.length)
  const batch = readAxis(op, given.batchAxis ?? 0, shape.length, 'batchAxis')
  if (along === batch) reject('bad-attribute', `${op}: axis and batchAxis are both ${along}`)
  if (!isInteger(dtype)) reject('dtype-mismatch', `${op}: lengths must be integers, got ${dtype}`)
  if (counts.length !== 1 || counts[0] !== shape[batch])
    reject('shape-mismatch', `${op}: lengths must be [${shape[batch]}], one for each sequence, got [${counts.join(', ')}]`)
  const extent = shape[along]!
  const shaped = (axis: number) => shape.map((size, i) => (i === axis ? size : 1))
  const places = constant(
    'i64',
    shaped(along),
    Array.from({ length: extent }, (_, i) => i),
  ) as Any
  const whole = call('reshape', { input: dtype === 'i64' ? lengths : cast(lengths as Any, 'i64') }, { shape: shaped(batch) }, op)
  const turned = sub(sub(whole, 1) as Any, places) as Any
  const inside = call('less', { left: places, right: whole }, {}, op)
  const indices = call('where', { condition: inside, whenTrue: turned, whenFalse: places }, {}, op)
  return call(
    'gatherElements',
    { input, indices: call('expand', { input: indices }, { shape: [...shape] }, op) },
    { axis: along },
    op,
  )
}
