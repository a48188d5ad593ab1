import { reject } from '../compiler/graph/index.ts'
import { elu, hardSigmoid, leakyRelu, relu, softplus, softsign } from './activation.ts'
import { isPlainObject, readChoice, readList, readNumber, readOptions } from './check.ts'
import { greaterOrEqual, where } from './comparison.ts'
import { add, mul, sigmoid, tanh } from './elementwise.ts'
import type { Tensor } from './tensor.ts'
import { describe } from './tracer.ts'

type Any = Tensor<any, any>

/** `affine` is alpha · x + beta, `scaledTanh` alpha · tanh(beta · x), `thresholdedRelu` x from alpha on and 0 below. */
export type ActivationName = (typeof names)[number]

/** An activation function with its parameters. */
export interface Activation {
  readonly name: ActivationName
  /** Default: 0.01 for leakyRelu, 0.2 for hardSigmoid, 1 for the others. */
  readonly alpha?: number
  /** Default: 0.5 for hardSigmoid, 0 for affine, 1 for scaledTanh. */
  readonly beta?: number
}

const names = [
  'affine',
  'elu',
  'hardSigmoid',
  'leakyRelu',
  'relu',
  'scaledTanh',
  'sigmoid',
  'softplus',
  'softsign',
  'tanh',
  'thresholdedRelu',
] as const

export type Apply = (input: Any) => Any

/** ONNX RNN 22, Activation functions. */
const functions: Readonly<Record<ActivationName, (alpha: number | undefined, beta: number | undefined) => Apply>> = {
  affine:
    (alpha = 1, beta = 0) =>
    (x) =>
      add(mul(x, alpha), beta),
  elu:
    (alpha = 1) =>
    (x) =>
      elu(x, { alpha }),
  hardSigmoid:
    (slope = 0.2, offset = 0.5) =>
    (x) =>
      hardSigmoid(x, { slope, offset }),
  leakyRelu:
    (slope = 0.01) =>
    (x) =>
      leakyRelu(x, { slope }),
  relu: () => relu,
  scaledTanh:
    (alpha = 1, beta = 1) =>
    (x) =>
      mul(tanh(mul(x, beta)), alpha),
  sigmoid: () => sigmoid,
  softplus: () => softplus,
  softsign: () => softsign,
  tanh: () => tanh,
  thresholdedRelu:
    (alpha = 1) =>
    (x) =>
      where(greaterOrEqual(x, alpha), x, 0),
}

/** For each direction the functions in the order of the formula; what is given for one direction serves both. */
export function readActivations(op: string, given: unknown, defaults: readonly ActivationName[], directions: number): Apply[][] {
  const count = defaults.length
  const list = given === undefined ? defaults : readList(op, 'activations', given, count * 2)
  if (list.length !== count && list.length !== count * directions) {
    const wanted = directions === 2 ? `${count} or ${count * 2}` : `${count}`
    reject('bad-attribute', `${op}: activations needs ${wanted} entries, got ${list.length}`)
  }
  const read = list.map((entry, i) => readActivation(op, `activations[${i}]`, entry))
  return Array.from({ length: directions }, (_, d) => (list.length > count ? read.slice(d * count, (d + 1) * count) : read))
}

function readActivation(op: string, at: string, entry: unknown): Apply {
  if (typeof entry !== 'string' && !isPlainObject(entry))
    return reject('bad-attribute', `${op}: ${at} must be a name or { name, alpha, beta }, got ${describe(entry)}`)
  const given: Readonly<Record<string, unknown>> =
    typeof entry === 'string' ? { name: entry } : readOptions(`${op}: ${at}`, entry, ['name', 'alpha', 'beta'])
  const parameter = (name: 'alpha' | 'beta') =>
    given[name] === undefined ? undefined : readNumber(op, `${at}.${name}`, given[name], 0)
  if (given.name === undefined) return reject('bad-attribute', `${op}: ${at} has no name`)
  return functions[readChoice(op, at, given.name, names, 'tanh')](parameter('alpha'), parameter('beta'))
}
