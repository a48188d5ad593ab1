import {
  type AttributesOf,
  type Node,
  type OperandsOf,
  type RecurrentActivation,
  type RecurrentCell,
  recurrentActivations,
  recurrentCells,
  reversals,
  type TensorType,
} from '../graph/index.ts'
import { inFloat32, type LoweringRule, type Scope } from './scope.ts'

type Attributes = AttributesOf<'recurrence'>
type Apply = (x: Node) => Node

/** `count` entries along an axis, from `start` on. */
function part(g: Scope, input: Node, axis: number, start: number, count: number): Node {
  const { shape } = input.type
  if (count === shape[axis]) return input
  return g.node(
    'slice',
    { input },
    {
      start: shape.map((_, i) => (i === axis ? start : 0)),
      size: shape.map((extent, i) => (i === axis ? count : extent)),
      step: shape.map(() => 1),
    },
  )
}

const concat = (g: Scope, inputs: readonly Node[], axis: number): Node =>
  inputs.length === 1 ? inputs[0]! : g.node('concat', { inputs }, { axis })

// ---------------------------------------------------------------- layers
type Layer<K extends RecurrentCell> = (operands: OperandsOf<K>, attributes: AttributesOf<K>) => Partial<Attributes>

/**
 * One product for the input of all steps and directions, then the steps. The bias of the hidden state is added to the input's, but for a
 * gate that acts on the product with the hidden state: b_Rh then stays apart.
 */
const layer = <K extends RecurrentCell>(kind: K, special: Layer<K>): LoweringRule<K> =>
  inFloat32<K>((operands, given, g) => {
    type Operands = OperandsOf<'gru'> & Partial<Pick<OperandsOf<'lstm'>, 'cell' | 'peephole'>>
    const { input, weight, recurrent, bias, hidden, cell, lengths, peephole } = operands as unknown as Operands
    const attributes = given as unknown as AttributesOf<'rnn'>
    const { gates } = recurrentCells[kind]
    const [directions, rows, width] = recurrent.type.shape as [number, number, number]
    const own = special(operands, given)
    const apart = own.linearBeforeReset === true
    const [ofInput, ofHidden] = [part(g, bias, 1, 0, rows), part(g, bias, 1, rows, rows)]
    const zeros: TensorType = { dtype: bias.type.dtype, shape: [directions, width] }
    const added = apart ? concat(g, [part(g, ofHidden, 1, 0, rows - width), g.constant(zeros, [], 'zeros')], 1) : ofHidden
    const all = directions * rows
    const projected = g.node(
      'linear',
      {
        input,
        weight: g.reshape(weight, [all, weight.type.shape[2]!]),
        bias: g.reshape(g.add(ofInput, added), [all]),
      },
      {},
    )
    const states = [hidden, ...(cell ? [cell] : [])].map((state) => g.reshape(state, [1, ...state.type.shape]))
    const extra = apart ? part(g, ofHidden, 1, (gates - 1) * width, width) : peephole
    const whole = (): Node => {
      const [length, batch] = input.type.shape as [number, number]
      return g.constant({ dtype: 'i32', shape: [batch] }, new Array<number>(batch).fill(length), 'lengths')
    }
    const { activations, alpha, beta, clip } = attributes
    return g.node(
      'recurrence',
      {
        projected,
        recurrent,
        states: concat(g, states, 0),
        lengths: lengths ?? (extra && whole()),
        extra,
      },
      {
        ...{ kind, reverse: [...reversals(attributes.direction)], activations, alpha, beta, clip },
        ...{ coupled: false, linearBeforeReset: false, ...own },
      },
    )
  })

// ---------------------------------------------------------------- steps
const functions: Readonly<Record<RecurrentActivation, (g: Scope, alpha: number, beta: number) => Apply>> = {
  affine: (g, alpha, beta) => (x) => g.add(g.mul(x, alpha), beta),
  elu: (g, alpha) => (input) => g.node('elu', { input }, { alpha }),
  hardSigmoid: (g, slope, offset) => (input) => g.node('hardSigmoid', { input }, { slope, offset }),
  leakyRelu: (g, slope) => (input) => g.node('leakyRelu', { input }, { slope }),
  relu: (g) => (input) => g.node('relu', { input }, {}),
  scaledTanh: (g, alpha, beta) => (x) => g.mul(g.tanh(g.mul(x, beta)), alpha),
  sigmoid: (g) => g.sigmoid,
  softplus: (g) => (input) => g.node('softplus', { input }, {}),
  softsign: (g) => (input) => g.node('softsign', { input }, {}),
  tanh: (g) => g.tanh,
  thresholdedRelu: (g, alpha) => (x) => g.where(g.lessOrEqual(alpha, x), x, 0),
}

/** The functions of direction d. */
function functionsOf(g: Scope, d: number, { kind, activations, alpha, beta }: Attributes): Apply[] {
  const count = recurrentCells[kind].activations
  return activations.slice(d * count, (d + 1) * count).map((name, i) => {
    const defaults: { readonly alpha?: number; readonly beta?: number } = recurrentActivations[name]
    return functions[name](g, alpha[d * count + i] ?? defaults.alpha ?? 1, beta[d * count + i] ?? defaults.beta ?? 0)
  })
}

/** What a step sees of its direction. */
interface Direction {
  readonly width: number
  /** `[gates · hidden, hidden]` */
  readonly recurrent: Node
  /** `[3 · hidden]` or `[hidden]` */
  readonly extra: Node | undefined
  readonly functions: readonly Apply[]
  readonly limit: Apply
}

/** From `[batch, gates · hidden]` of the input and states `[batch, hidden]` to the next states. */
type Step = (projected: Node, states: readonly Node[], direction: Direction, g: Scope, attributes: Attributes) => Node[]

const linear = (g: Scope, input: Node, weight: Node): Node => g.node('linear', { input, weight }, {})
const gate = (g: Scope, value: Node, k: number, width: number, axis = 1): Node => part(g, value, axis, k * width, width)

const steps: Readonly<Record<RecurrentCell, Step>> = {
  lstm(projected, [hidden, cell], { width, recurrent, extra, functions, limit }, g, { coupled }) {
    const [f, act, show] = functions as [Apply, Apply, Apply]
    const sums = g.add(projected, linear(g, hidden!, recurrent))
    const open = (k: number, peep: number, seen: Node) => {
      const sum = gate(g, sums, k, width)
      return f(limit(extra ? g.add(sum, g.mul(seen, gate(g, extra, peep, width, 0))) : sum))
    }
    const i = open(0, 0, cell!)
    const kept = g.mul(coupled ? g.sub(1, i) : open(2, 2, cell!), cell!)
    const next = g.add(kept, g.mul(i, act(limit(gate(g, sums, 3, width)))))
    return [g.mul(open(1, 1, next), show(next)), next]
  },
  gru(projected, [hidden], { width, recurrent, extra, functions, limit }, g, { linearBeforeReset }) {
    const [f, act] = functions as [Apply, Apply]
    const product = linear(g, hidden!, linearBeforeReset ? recurrent : part(g, recurrent, 0, 0, 2 * width))
    const open = (k: number) => f(limit(g.add(gate(g, projected, k, width), gate(g, product, k, width))))
    const [z, r] = [open(0), open(1)]
    const shown = () => {
      if (!linearBeforeReset) return linear(g, g.mul(r, hidden!), part(g, recurrent, 0, 2 * width, width))
      const last = gate(g, product, 2, width)
      return g.mul(r, extra ? g.add(last, extra) : last)
    }
    const made = act(limit(g.add(gate(g, projected, 2, width), shown())))
    return [g.add(g.mul(g.sub(1, z), made), g.mul(z, hidden!))]
  },
  rnn: (projected, [hidden], { recurrent, functions, limit }, g) => [
    functions[0]!(limit(g.add(projected, linear(g, hidden!, recurrent)))),
  ],
}

interface Run {
  readonly states: readonly Node[]
  /** Hidden state behind each step, or 0, in the order of the input. */
  readonly outputs: readonly Node[]
}

/** All steps of direction d. */
function walk(operands: OperandsOf<'recurrence'>, attributes: Attributes, d: number, g: Scope): Run {
  const { projected, recurrent, states, lengths, extra } = operands
  const [length, batch] = projected.type.shape as [number, number]
  const [, rows, width] = recurrent.type.shape as [number, number, number]
  const own = (value: Node, axis: number): Node =>
    g.reshape(
      part(g, value, axis, d, 1),
      value.type.shape.filter((_, i) => i !== axis),
    )
  const { clip, kind, reverse } = attributes
  const direction: Direction = {
    width,
    recurrent: own(recurrent, 0),
    extra: extra && own(extra, 0),
    functions: functionsOf(g, d, attributes),
    limit: clip > 0 ? (input) => g.node('clamp', { input }, { minimum: -clip, maximum: clip }) : (x) => x,
  }
  const before = own(states, 1)
  let current = Array.from({ length: recurrentCells[kind].states }, (_, k) => g.reshape(part(g, before, 0, k, 1), [batch, width]))
  const outputs = new Array<Node>(length)
  for (let i = 0; i < length; i++) {
    const t = reverse[d] ? length - 1 - i : i
    const at = g.reshape(part(g, part(g, projected, 0, t, 1), 2, d * rows, rows), [batch, rows])
    const next = steps[kind](at, current, direction, g, attributes)
    if (lengths) {
      const position = g.constant({ dtype: 'i32', shape: [] }, [t], 'step')
      const active = g.reshape(g.less(position, lengths), [batch, 1])
      current = next.map((state, k) => g.where(active, state, current[k]!))
      outputs[t] = g.where(active, next[0]!, 0)
    } else {
      current = next
      outputs[t] = next[0]!
    }
  }
  return { states: current, outputs }
}

/** The operations of every step, one after the other. */
const recurrence = inFloat32<'recurrence'>((operands, attributes, g, { shape }) => {
  const [, directions, batch, width] = shape as [number, number, number, number]
  const runs = Array.from({ length: directions }, (_, d) => walk(operands, attributes, d, g))
  const whole = (values: readonly Node[]): Node =>
    concat(
      g,
      values.map((value) => g.reshape(value, [1, 1, batch, width])),
      1,
    )
  const count = runs[0]!.outputs.length
  const rows = [
    ...runs[0]!.states.map((_, k) => whole(runs.map(({ states }) => states[k]!))),
    ...Array.from({ length: count }, (_, t) => whole(runs.map(({ outputs }) => outputs[t]!))),
  ]
  return concat(g, rows, 0)
})

export const recurrentRules: { readonly [K in RecurrentCell | 'recurrence']: LoweringRule<K> } = {
  lstm: layer('lstm', (_, { coupled }) => ({ coupled })),
  gru: layer('gru', (_, { linearBeforeReset }) => ({ linearBeforeReset })),
  rnn: layer('rnn', () => ({})),
  recurrence,
}
