import { elementCount, type RecurrentActivation, recurrentActivations } from '../../../../compiler/graph/index.ts'
import type { OnnxOp } from '../accepted.ts'
import { type ExportContext, type ExportRules, float, type GivenAttributes, type Ref } from '../context.ts'

const names: Readonly<Record<RecurrentActivation, string>> = {
  affine: 'Affine',
  elu: 'Elu',
  hardSigmoid: 'HardSigmoid',
  leakyRelu: 'LeakyRelu',
  relu: 'Relu',
  scaledTanh: 'ScaledTanh',
  sigmoid: 'Sigmoid',
  softplus: 'Softplus',
  softsign: 'Softsign',
  tanh: 'Tanh',
  thresholdedRelu: 'ThresholdedRelu',
}

interface Layer {
  readonly operands: {
    readonly input: Ref
    readonly weight: Ref
    readonly recurrent: Ref
    readonly bias: Ref
    readonly hidden: Ref
    readonly cell?: Ref
    readonly lengths?: Ref | undefined
    readonly peephole?: Ref | undefined
  }
  readonly attributes: {
    readonly direction: string
    readonly activations: readonly RecurrentActivation[]
    readonly alpha: readonly number[]
    readonly beta: readonly number[]
    readonly clip: number
  }
}

/** Functions, and the parameters of those that have any, one after the other. */
function activationsOf({ activations, alpha, beta }: Layer['attributes'], defaults: readonly string[]): GivenAttributes {
  if (alpha.length === 0 && activations.every((name, i) => name === defaults[i % defaults.length])) return {}
  const parameters = (kind: 'alpha' | 'beta', given: readonly number[]) => {
    const values = activations.flatMap((name, i) => {
      const standard: number | undefined = (recurrentActivations[name] as Partial<Record<typeof kind, number>>)[kind]
      return standard === undefined ? [] : [given[i] ?? standard]
    })
    return values.length > 0 ? { [`activation_${kind}`]: { kind: 'floats', value: values } as const } : {}
  }
  return {
    activations: { kind: 'strings', value: activations.map((name) => names[name]) },
    ...parameters('alpha', alpha),
    ...parameters('beta', beta),
  }
}

/** What ONNX takes to be zero, or all steps, is left out. */
const unlessZero = (ref: Ref | undefined, c: ExportContext): Ref | undefined =>
  ref && c.known(ref)?.every((byte) => byte === 0) ? undefined : ref

function unlessAll(ref: Ref | undefined, length: number, c: ExportContext): Ref | undefined {
  const bytes = ref && c.known(ref)
  if (!bytes) return ref
  const list = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.byteLength / 4 }, (_, i) => list.getInt32(4 * i, true)).every((steps) => steps === length)
    ? undefined
    : ref
}

/** ONNX has outputs and states apart; here they are one value, of which slices take what is wanted. */
function layer(
  op: OnnxOp,
  { operands, attributes }: Layer,
  defaults: readonly string[],
  own: GivenAttributes,
  c: ExportContext,
): Ref | undefined {
  const { input, weight, recurrent, bias, hidden, cell, lengths, peephole } = operands
  const { dtype } = input.type
  if (!c.offers(op, dtype) || elementCount(c.type.shape) === 0 || elementCount(input.type.shape) === 0) return undefined
  const [rows, directions, batch, width] = c.type.shape as [number, number, number, number]
  const state = { dtype, shape: [directions, batch, width] }
  const length = input.type.shape[0]!
  const made = c.emitAll(
    op,
    [
      input,
      weight,
      recurrent,
      unlessZero(bias, c),
      unlessAll(lengths, length, c),
      unlessZero(hidden, c),
      unlessZero(cell, c),
      unlessZero(peephole, c),
    ],
    [{ dtype, shape: [length, directions, batch, width] }, ...new Array<typeof state>(rows - length).fill(state)],
    {
      hidden_size: width,
      ...(attributes.direction !== 'forward' && { direction: attributes.direction }),
      ...activationsOf(attributes, defaults),
      ...(attributes.clip > 0 && { clip: float(attributes.clip) }),
      ...own,
    },
  )
  const [output, ...states] = made as [Ref, ...Ref[]]
  const lifted = { dtype, shape: [1, ...state.shape] }
  const parts = states.map((ref) => c.emit('Reshape', [ref, c.constant('i64', [4], lifted.shape)], lifted))
  return c.emit('Concat', [...parts, output], c.type, { axis: 0 })
}

export const recurrentRules = {
  lstm: (operands, attributes, c) =>
    layer('LSTM', { operands, attributes }, ['sigmoid', 'tanh', 'tanh'], attributes.coupled ? { input_forget: 1 } : {}, c),
  gru: (operands, attributes, c) => {
    const own = attributes.linearBeforeReset ? { linear_before_reset: 1 } : {}
    return layer('GRU', { operands, attributes }, ['sigmoid', 'tanh'], own, c)
  },
  rnn: (operands, attributes, c) => layer('RNN', { operands, attributes }, ['tanh'], {}, c),
  // Made by the compiler of the layers above.
  recurrence: () => undefined,
} satisfies Partial<ExportRules>
