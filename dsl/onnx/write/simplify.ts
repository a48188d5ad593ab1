import { isPlainObject } from '../../check.ts'
import type { Argument, Statement } from '../record/statement.ts'
import { defaultsOf, takesLastAxis, windowAxes } from './vocabulary.ts'

type Shape = readonly number[]
type Options = Readonly<Record<string, Argument>>

const shapeOf = (argument: Argument): Shape => (argument as { readonly shape: Shape }).shape
const isNumbers = (argument: Argument): argument is readonly number[] =>
  Array.isArray(argument) && argument.length > 0 && argument.every((entry) => typeof entry === 'number')

/** One number where all axes have the same. */
const perAxis = (argument: Argument): Argument =>
  isNumbers(argument) && argument.every((entry) => entry === argument[0]) ? argument[0]! : argument

/** What a padding of `'same'` adds on each side. */
function samePadding(
  args: readonly Argument[],
  axes: number,
  isPool: boolean,
  options: Options,
): { readonly before: Shape; readonly after: Shape } {
  const list = (side: Argument): Shape => (typeof side === 'number' ? new Array<number>(axes).fill(side) : (side as Shape))
  const kernel = isPool ? list(args[1]) : shapeOf(args[1]).slice(2)
  const stride = list(options.stride ?? (isPool ? args[1] : 1))
  const dilation = list(options.dilation ?? 1)
  const total = shapeOf(args[0])
    .slice(2)
    .map((extent, i) =>
      Math.max(0, (Math.ceil(extent / stride[i]!) - 1) * stride[i]! + dilation[i]! * (kernel[i]! - 1) + 1 - extent),
    )
  return { before: total.map((sum) => Math.floor(sum / 2)), after: total.map((sum) => Math.ceil(sum / 2)) }
}

/** Whether a padding of one number is what `'same'` would give. */
export function isSamePadding({ call, arguments: args }: Statement, padding: number): boolean {
  const axes = windowAxes[call]
  if (axes === undefined) return false
  const options = args.at(-1)
  const { before, after } = samePadding(args, axes, call.includes('Pool'), isPlainObject(options) ? (options as Options) : {})
  return [...before, ...after].every((side) => side === padding)
}

/** The arguments of a statement as people write them: short forms, and without what is left out by default. */
export function simplified(statement: Statement): readonly Argument[] {
  const { call } = statement
  const given = [...statement.arguments]
  const axes = windowAxes[call]
  const last = given.at(-1)
  let options: Options | undefined = isPlainObject(last) ? (last as Options) : undefined
  if (options) given.pop()
  if (axes !== undefined) {
    if (call.includes('Pool') && given.length > 1) given[1] = perAxis(given[1])
    if (options) options = windowOptions(statement, given, options, axes)
  }
  if (call === 'slice') return [given[0], explicitRange(shapeOf(given[0]), options ?? (given[1] as Argument))]
  if (options) options = withoutDefaults(statement, options)
  while (!options && given.length > 0 && given.at(-1) === undefined) given.pop()
  return options ? [...given, options] : given
}

function withoutDefaults({ call, arguments: given }: Statement, options: Options): Options | undefined {
  const fallbacks = defaultsOf(call)
  const [input] = given
  const entries = Object.entries(options).filter(([key, value]) => {
    if (value === undefined || Object.is(value, fallbacks[key])) return false
    const rank = takesLastAxis.has(call) && key === 'axis' ? shapeOf(input).length : undefined
    return !(rank !== undefined && (value === -1 || value === rank - 1))
  })
  return entries.length > 0 ? Object.fromEntries(entries) : undefined
}

function windowOptions(
  { call, arguments: args }: Statement,
  given: readonly Argument[],
  options: Options,
  axes: number,
): Options {
  const result: Record<string, Argument> = Object.fromEntries(
    Object.entries(options).map(([key, value]) => [key, perAxis(value)]),
  )
  const isPool = call.includes('Pool')
  if (isPool && String(result.stride) === String(given[1])) delete result.stride
  const { padding } = result
  if (!isPlainObject(padding)) return result
  const { before, after } = padding as { readonly before: Argument; readonly after: Argument }
  const list = (side: Argument): Shape => (typeof side === 'number' ? new Array<number>(axes).fill(side) : (side as Shape))
  if (String(list(before)) === String(list(after))) result.padding = perAxis(before)
  else {
    const same = samePadding(args, axes, isPool, options)
    const isSame = String(same.before) === String(list(before)) && String(same.after) === String(list(after))
    result.padding = isSame ? 'same' : { before: perAxis(before), after: perAxis(after) }
  }
  return result
}

/** Ranges with both ends as positions from the front, where they walk forwards in steps of one. What is implied is left out when printing. */
function explicitRange(extents: Shape, range: Argument): Argument {
  if (Array.isArray(range))
    return range.length === 1 ? explicitRange(extents, range[0]) : range.map((one) => explicitRange(extents, one))
  const { axis, start = 0, stop, step = 1 } = range as Readonly<Record<string, number | undefined>>
  if (step !== 1) return range
  const extent = extents[axis! < 0 ? axis! + extents.length : axis!]!
  const place = (position: number) => Math.min(extent, Math.max(0, position < 0 ? position + extent : position))
  return { axis: axis!, start: place(start), stop: stop === undefined ? extent : place(stop) }
}
