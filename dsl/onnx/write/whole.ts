import type { Abstraction } from './abstraction.ts'
import { type Item, type Parameter, type Pattern, type Scalar, substitute, type Value } from './program.ts'

/**
 * Whether a window is more than the same thing several times, which is for a loop to say: where it falls into equal parts, neighbouring parts
 * must differ in something that is the same in all occurrences, as the two convolutions of a separable block differ in their kernels.
 */
export function isWhole(items: readonly Item[], { inside }: Abstraction): boolean {
  const flat = items.flatMap((item, k) => flattened(item, inside[k]!))
  const tokens = flat.map(({ pattern }) => pattern.id)
  const isAlike = (a: number, b: number) => !differ(flat[a]!, flat[b]!) && !shareName(flat[a]!.scalars, flat[b]!.scalars)
  for (let period = 1; period * 2 <= flat.length; period++) {
    let start = 0
    for (let i = 0; i <= flat.length - period; i++) {
      if (i < flat.length - period && tokens[i] === tokens[i + period]) continue
      const end = i + period
      if (end - start >= Math.max(2 * period, flat.length * mostRepeated))
        for (let part = start; part + 2 * period <= end; part += period)
          if (Array.from({ length: period }, (_, k) => part + k).every((k) => isAlike(k, k + period))) return false
      start = i + 1
    }
  }
  return true
}

/** A window of which more than this is one thing several times is a run with something beside it. */
const mostRepeated = 0.6

/**
 * Whether a window takes in several parts of the network, which are told apart by the names of their weights, and something three times: the
 * parts are what repeats.
 */
export function spansParts(items: readonly Item[], { parameters, inside }: Abstraction): boolean {
  const counts = new Map<Pattern, number>()
  for (const { pattern, scalars } of items)
    if (scalars.some(({ kind }) => kind === 'text')) counts.set(pattern, (counts.get(pattern) ?? 0) + 1)
  if (Math.max(0, ...counts.values()) < 3) return false
  const isShifted = (scalar: Scalar): boolean =>
    scalar.kind === 'arithmetic'
      ? scalar.left.kind === 'parameter' && isName(scalar.left.parameter)
      : scalar.kind === 'text' && scalar.parts.some((part) => typeof part === 'object' && isShifted(part))
  return parameters.filter(isName).length > 1 || inside.some((scalars) => scalars.some(isShifted))
}

/** What makes calls of one function different things. Strides and sizes vary within what repeats. */
const telling = new Set(['kernel', 'groups', 'window', 'dilation'])

/** Whether a telling number is another, whatever a helper is given. */
const differ = (a: Flat, b: Flat): boolean =>
  a.scalars.some((scalar, s) => {
    const other = b.scalars[s]!
    return telling.has(a.pattern.roles[s]!) && scalar.kind === 'number' && other.kind === 'number' && scalar.key !== other.key
  })

/** Whether two calls belong to one part of the network by the names of their weights. */
function shareName(a: readonly Scalar[], b: readonly Scalar[]): boolean {
  const names = new Set(a.flatMap(namesIn))
  return b.flatMap(namesIn).some((name) => names.has(name))
}

const namesIn = (scalar: Scalar): Parameter[] => {
  if (scalar.kind === 'text')
    return scalar.parts.flatMap((part) => (typeof part === 'object' && part.kind === 'parameter' ? [part.parameter] : []))
  return scalar.kind === 'parameter' && isName(scalar.parameter) ? [scalar.parameter] : []
}
const isName = ({ kind, roles }: Parameter): boolean => kind === 'text' || roles.some((role) => role.startsWith('index:'))

interface Flat {
  readonly pattern: Pattern
  readonly scalars: readonly Scalar[]
}

/** The calls that a call comes to, helpers looked into. */
function flattened({ pattern }: Item, scalars: readonly Scalar[]): Flat[] {
  const { template } = pattern
  if (!template) return [{ pattern, scalars }]
  const given = new Map(template.parameters.map((parameter, i) => [parameter, scalars[i]!]))
  return template.body.flatMap((inner) =>
    flattened(
      inner,
      inner.scalars.map((scalar) => substitute(scalar, given)),
    ),
  )
}

/** Whether calls hang together by tensors that they make, or read together. */
export function isConnected(items: readonly Item[]): boolean {
  const leader = items.map((_, i) => i)
  const find = (i: number): number => {
    while (leader[i] !== i) i = leader[i] = leader[leader[i]!]!
    return i
  }
  const seen = new Map<Value, number>()
  for (const [i, item] of items.entries())
    for (const value of [...item.values, ...item.results]) {
      const first = seen.get(value)
      if (first === undefined) seen.set(value, i)
      else leader[find(i)] = find(first)
    }
  const root = find(0)
  return items.every((_, i) => find(i) === root)
}
