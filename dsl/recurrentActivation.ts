import { type RecurrentActivation, recurrentActivations, reject } from '../compiler/graph/index.ts'
import { isPlainObject, readChoice, readList, readNumber, readOptions } from './check.ts'
import { describe } from './tracer.ts'

/** `affine` is alpha · x + beta, `scaledTanh` alpha · tanh(beta · x), `thresholdedRelu` x from alpha on and 0 below. */
export type ActivationName = RecurrentActivation

/** An activation function with its parameters. */
export interface Activation {
  readonly name: ActivationName
  /** Default: 0.01 for leakyRelu, 0.2 for hardSigmoid, 1 for the others. */
  readonly alpha?: number
  /** Default: 0.5 for hardSigmoid, 0 for affine, 1 for scaledTanh. */
  readonly beta?: number
}

const names = Object.keys(recurrentActivations) as ActivationName[]

/** Attributes of an op: for each direction the functions in the order of the formula. */
export interface Activations {
  readonly activations: readonly ActivationName[]
  /** Empty where all parameters are the defaults. */
  readonly alpha: readonly number[]
  readonly beta: readonly number[]
}

/** The activation functions of all directions; what is given for one direction serves both. */
export function readActivations(
  op: string,
  given: unknown,
  defaults: readonly ActivationName[],
  directions: number,
): Activations {
  const count = defaults.length
  const list = given === undefined ? defaults : readList(op, 'activations', given, count * 2)
  if (list.length !== count && list.length !== count * directions) {
    const wanted = directions === 2 ? `${count} or ${count * 2}` : `${count}`
    reject('bad-attribute', `${op}: activations needs ${wanted} entries, got ${list.length}`)
  }
  const read = list.map((entry, i) => readActivation(op, `activations[${i}]`, entry))
  const all = Array.from({ length: count * directions }, (_, i) => read[i % read.length]!)
  const plain = all.every(({ alpha, beta }) => alpha === undefined && beta === undefined)
  const parameters = (name: 'alpha' | 'beta') =>
    plain ? [] : all.map((one) => one[name] ?? (recurrentActivations[one.name] as Omit<Activation, 'name'>)[name] ?? 0)
  return { activations: all.map(({ name }) => name), alpha: parameters('alpha'), beta: parameters('beta') }
}

interface Read {
  readonly name: ActivationName
  readonly alpha: number | undefined
  readonly beta: number | undefined
}

function readActivation(op: string, at: string, entry: unknown): Read {
  if (typeof entry !== 'string' && !isPlainObject(entry))
    return reject('bad-attribute', `${op}: ${at} must be a name or { name, alpha, beta }, got ${describe(entry)}`)
  const given: Readonly<Record<string, unknown>> =
    typeof entry === 'string' ? { name: entry } : readOptions(`${op}: ${at}`, entry, ['name', 'alpha', 'beta'])
  const parameter = (name: 'alpha' | 'beta') =>
    given[name] === undefined ? undefined : readNumber(op, `${at}.${name}`, given[name], 0)
  if (given.name === undefined) return reject('bad-attribute', `${op}: ${at} has no name`)
  return { name: readChoice(op, at, given.name, names, 'tanh'), alpha: parameter('alpha'), beta: parameter('beta') }
}
