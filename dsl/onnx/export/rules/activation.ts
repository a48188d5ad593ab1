import { dtypeFacts, isFloat } from '../../../../compiler/graph/index.ts'
import type { OnnxOp } from '../accepted.ts'
import { type ExportContext, type ExportRule, type ExportRules, float, type Ref } from '../context.ts'
import { same } from './elementwise.ts'

/** An operator with numbers as attributes, which are f32: where elements are f64, simpler ops shall hold a number that f32 cannot. */
function withNumbers(op: OnnxOp, input: Ref, numbers: Readonly<Record<string, number>>, c: ExportContext): Ref | undefined {
  if (input.type.dtype === 'f64' && Object.values(numbers).some((value) => Math.fround(value) !== value)) return undefined
  return c.emit(op, [input], c.type, Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, float(value)])))
}

/** Operators whose constants are f32. */
const unlessDouble =
  (op: OnnxOp): ((operands: { readonly input: Ref }, attributes: unknown, c: ExportContext) => Ref | undefined) =>
  ({ input }, _, c) =>
    input.type.dtype === 'f64' ? undefined : c.emit(op, [input], c.type)

const relu: ExportRule<'relu'> = ({ input }, _, c) =>
  dtypeFacts[input.type.dtype].kind === 'unsigned' ? input : c.emit('Relu', [input], c.type)

const clamp: ExportRule<'clamp'> = ({ input }, { minimum, maximum }, c) => {
  const whole = !isFloat(input.type.dtype)
  const low = minimum === Number.NEGATIVE_INFINITY ? undefined : c.scalar(input, whole ? Math.ceil(minimum) : minimum)
  const high = maximum === Number.POSITIVE_INFINITY ? undefined : c.scalar(input, whole ? Math.floor(maximum) : maximum)
  return low || high ? c.emit('Clip', [input, low, high], c.type) : input
}

const simpler = () => undefined

export const activationRules = {
  relu,
  leakyRelu: ({ input }, { slope }, c) => withNumbers('LeakyRelu', input, { alpha: slope }, c),
  prelu: ({ input, slope }, _, c) => c.emit('PRelu', [input, slope], c.type),
  elu: ({ input }, { alpha }, c) => withNumbers('Elu', input, { alpha }, c),
  celu: ({ input }, { alpha }, c) => withNumbers('Celu', input, { alpha }, c),
  selu: unlessDouble('Selu'),
  softplus: same('Softplus'),
  softsign: same('Softsign'),
  silu: simpler,
  mish: same('Mish'),
  hardSigmoid: ({ input }, { slope, offset }, c) => withNumbers('HardSigmoid', input, { alpha: slope, beta: offset }, c),
  hardSwish: unlessDouble('HardSwish'),
  gelu: ({ input }, { approximate }, c) => c.emit('Gelu', [input], c.type, { approximate }),
  thresholdedRelu: ({ input }, { threshold }, c) => withNumbers('ThresholdedRelu', input, { alpha: threshold }, c),
  shrink: ({ input }, { threshold, bias }, c) => withNumbers('Shrink', input, { lambd: threshold, bias }, c),
  reciprocal: same('Reciprocal'),
  rsqrt: simpler,
  clamp,
  softmax: ({ input }, { axis }, c) => c.emit('Softmax', [input], c.type, { axis }),
  logSoftmax: ({ input }, { axis }, c) => c.emit('LogSoftmax', [input], c.type, { axis }),
  hardmax: ({ input }, { axis }, c) => c.emit('Hardmax', [input], c.type, { axis }),
} satisfies Partial<ExportRules>
