import { isInteger } from '../../../../compiler/graph/index.ts'
import type { OnnxOp } from '../accepted.ts'
import type { ExportContext, ExportRules, Ref } from '../context.ts'

type Reduction = { readonly axes: readonly number[]; readonly keepDims: boolean }

/** Axes became an operand with opset 18, for sums with 13. No axes mean all of them in ONNX and none here. */
function reduce(op: OnnxOp, input: Ref, { axes, keepDims }: Reduction, c: ExportContext): Ref | undefined {
  if (axes.length === 0) return undefined
  const keepdims = Number(keepDims)
  if (c.opset < 18 && op !== 'ReduceSum') return c.emit(op, [input], c.type, { axes, keepdims })
  return c.emit(op, [input, c.constant('i64', [axes.length], axes)], c.type, { keepdims })
}

const same =
  (op: OnnxOp) =>
  ({ input }: { readonly input: Ref }, attributes: Reduction, c: ExportContext): Ref | undefined =>
    reduce(op, input, attributes, c)

/** Over no axes these leave every element as it is. */
const ofElements =
  (op: OnnxOp) =>
  ({ input }: { readonly input: Ref }, attributes: Reduction, c: ExportContext): Ref =>
    reduce(op, input, attributes, c) ?? input

export const reduceRules = {
  reduceSum: ofElements('ReduceSum'),
  reduceProd: ofElements('ReduceProd'),
  reduceMax: ofElements('ReduceMax'),
  reduceMin: ofElements('ReduceMin'),
  // The sum of integers is taken in 64 bits here, in their own type there.
  reduceMean: ({ input }, attributes, c) =>
    isInteger(input.type.dtype) ? undefined : reduce('ReduceMean', input, attributes, c),
  reduceL1: same('ReduceL1'),
  reduceL2: same('ReduceL2'),
  reduceSumSquare: same('ReduceSumSquare'),
  reduceLogSumExp: same('ReduceLogSumExp'),
  variance: () => undefined,
} satisfies Partial<ExportRules>
