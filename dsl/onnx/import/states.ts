import { type DType, printType, reject, type TensorType } from '../../../compiler/graph/index.ts'
import type { OnnxValue } from '../model.ts'
import { printable } from './problem.ts'

/** Inputs of the file that sessions carry, with the outputs that they become: `{ 'past.key': 'present.key' }`. `auto` finds them by their names. */
export type States = Readonly<Record<string, string>> | 'auto'

export interface StatePair {
  readonly input: string
  readonly output: string
}

/** What tells a value before a run from the same after it, in names. */
const timeWords = new Set(
  'past present previous prev last old before next new updated after current cur in out input output initial init n'.split(' '),
)

/** `past_key_values.0.key` and `present.0.key` are both `0 key`. */
function subjectOf(name: string): string {
  const words = name
    .replace(/key_values/g, '')
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z\d]+/)
    .filter((word) => word !== '' && !timeWords.has(word))
  return words.join(' ')
}

type Size = NonNullable<OnnxValue['shape']>[number]

/** Whether a run can make of the one what the other is: outputs often have no sizes in the file, and caches grow along one axis. */
function couldBe(input: OnnxValue, output: OnnxValue): boolean {
  if (input.dtype !== (output.dtype ?? input.dtype)) return false
  const [before, after] = [input.shape, output.shape]
  if (!before || !after) return true
  const leaves = (from: Size, to: Size) => typeof to === 'number' && (typeof from !== 'number' || to < from)
  const grown = before.filter((from, axis) => typeof from === 'number' && typeof after[axis] === 'number' && after[axis] > from)
  return before.length === after.length && grown.length <= 1 && !before.some((from, axis) => leaves(from, after[axis]))
}

/** `hn` is what `h` or `h0` becomes. */
const isNext = (input: string, output: string): boolean => output.toLowerCase() === `${input.toLowerCase().replace(/0$/, '')}n`

/** Inputs and outputs that look like one value before and after a run, where there is just one such pair. */
export function plausiblePairs(inputs: readonly OnnxValue[], outputs: readonly OnnxValue[]): readonly StatePair[] {
  const matches = (input: OnnxValue, output: OnnxValue) =>
    couldBe(input, output) && (subjectOf(input.name) === subjectOf(output.name) || isNext(input.name, output.name))
  return inputs.flatMap((input) => {
    const found = outputs.filter((output) => matches(input, output))
    const isOnly = found.length === 1 && inputs.filter((other) => matches(other, found[0]!)).length === 1
    return isOnly ? [{ input: input.name, output: found[0]!.name }] : []
  })
}

const shown = (name: string) => `'${printable(name, 60)}'`
const listed = (pairs: readonly StatePair[]) =>
  pairs
    .slice(0, 6)
    .map(({ input, output }) => `--state ${printable(input, 60)}=${printable(output, 60)}`)
    .join(' ')

/** The pairs that were asked for, checked against what the file has. Errors: `onnx-option`. */
export function statePairs(inputs: readonly OnnxValue[], outputs: readonly OnnxValue[], states: States): readonly StatePair[] {
  const plausible = plausiblePairs(inputs, outputs)
  const hint = plausible.length > 0 ? `; these look like pairs: ${listed(plausible)}` : ''
  if (states === 'auto') {
    if (plausible.length > 0) return plausible
    return reject(
      'onnx-option',
      `states: no input and output are alike by name; name them, --state in=out, of the inputs ${inputs.map(({ name }) => shown(name)).join(', ')} and the outputs ${outputs.map(({ name }) => shown(name)).join(', ')}`,
    )
  }
  const pairs = Object.entries(states).map(([input, output]) => ({ input, output }))
  for (const { input, output } of pairs) {
    if (!inputs.some(({ name }) => name === input)) reject('onnx-option', `states: the file has no input ${shown(input)}${hint}`)
    if (!outputs.some(({ name }) => name === output))
      reject('onnx-option', `states: the file has no output ${shown(output)}${hint}`)
    if (pairs.filter((other) => other.output === output).length > 1)
      reject('onnx-option', `states: output ${shown(output)} was given for two inputs`)
  }
  return pairs
}

/** What of an output goes on as the state: the last elements along an axis that a run makes longer. */
export interface Tail {
  readonly axis: number
  readonly start: number
}

/**
 * How an output becomes the state that it was before: as it is, or the `Tail` of a cache to which each run appends. Both have one element
 * type and otherwise equal sizes. Errors: `onnx-option`.
 */
export function tailOf(
  { input, output }: StatePair,
  before: TensorType,
  after: { readonly dtype: DType; readonly shape: readonly number[] },
): Tail | undefined {
  const [from, to] = [
    printType({ dtype: before.dtype, shape: before.shape }),
    printType({ dtype: after.dtype, shape: [...after.shape] }),
  ]
  if (from === to) return undefined
  const other = before.shape.flatMap((size, axis) => (size === after.shape[axis] ? [] : [axis]))
  const [axis] = other
  const grows = before.dtype === after.dtype && before.shape.length === after.shape.length && other.length === 1
  if (grows && before.shape[axis!]! > 0 && after.shape[axis!]! > before.shape[axis!]!)
    return { axis: axis!, start: after.shape[axis!]! - before.shape[axis!]! }
  return reject(
    'onnx-option',
    `states: input ${shown(input)} is ${from} and output ${shown(output)} is ${to}; a state keeps its type from run to run, or grows along one axis, of which the last elements go on`,
  )
}
