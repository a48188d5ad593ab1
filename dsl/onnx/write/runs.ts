import type { Item, Parameter, Scalar, Value } from './program.ts'

/** One call, or a helper called over and over on its own results. */
export type Step = { readonly kind: 'call'; readonly item: Item } | Loop

export interface Loop {
  readonly kind: 'loop'
  readonly items: readonly Item[]
  /** For each operand: the result of the turn before that it is, undefined where all turns take the same tensor, `each` where each has its own. */
  readonly carried: readonly (number | undefined | 'each')[]
}

/** Fewer turns are written out. */
const fewestTurns = 3

/** Calls with loops in place of runs. */
export function stepsOf(items: readonly Item[]): Step[] {
  const steps: Step[] = []
  for (let i = 0; i < items.length; ) {
    const loop = loopAt(items, i)
    if (loop) {
      steps.push(loop)
      i += loop.items.length
    } else steps.push({ kind: 'call', item: items[i++]! })
  }
  return steps
}

function loopAt(items: readonly Item[], start: number): Loop | undefined {
  const first = items[start]!
  const second = items[start + 1]
  if (!first.pattern.template || second?.pattern !== first.pattern) return undefined
  const carried = second.values.map((value, a) => {
    if (value === first.values[a]) return undefined
    const from = first.results.indexOf(value)
    return from < 0 ? ('each' as const) : from
  })
  if (!carried.some((from) => typeof from === 'number')) return undefined
  // Operands that a turn takes from one result start from one tensor, or the first turn is none of the loop.
  if (!carried.every((from, a) => typeof from !== 'number' || first.values[carried.indexOf(from)] === first.values[a]))
    return undefined
  const made = new Set<Value>()
  const goesOn = (before: Item, next: Item | undefined) =>
    next?.pattern === first.pattern &&
    next.values.every((value, a) => {
      const from = carried[a]
      return from === 'each' ? !made.has(value) : value === (from === undefined ? before.values[a] : before.results[from])
    })
  let end = start + 1
  for (; ; end++) {
    for (const result of items[end - 1]!.results) made.add(result)
    if (!goesOn(items[end - 1]!, items[end])) break
  }
  const turns = items.slice(start, end)
  if (carried.includes('each') && turns.length < fewestTurns) return undefined
  const { parameters } = first.pattern.template
  const isCounted = first.scalars.every((_, s) => {
    const steps = progression(turns.map(({ scalars }) => scalars[s]!))
    return steps !== undefined && (steps.distance === 0 || isCountable(parameters[s]!))
  })
  if (carried.includes('each') && !isCounted) return undefined
  return turns.length >= (isCounted ? 2 : fewestTurns) && (isCounted || turns.every(({ scalars }) => scalars.every(isWritable)))
    ? { kind: 'loop', items: turns, carried }
    : undefined
}

/** Whether a number counts something: the part of a name. Sizes that happen to grow evenly stand in a table. */
export const isCountable = ({ roles }: Parameter): boolean => roles.some((role) => role.startsWith('index:'))

/** Tables stand outside of all functions, where there are no parameters. */
const isWritable = (scalar: Scalar): boolean =>
  scalar.kind === 'number' ||
  scalar.kind === 'same' ||
  (scalar.kind === 'text' && scalar.parts.every((part) => typeof part === 'string'))

/** Start and distance of whole numbers that grow evenly; a distance of 0 where all are the same, whatever they are. */
export function progression(cells: readonly Scalar[]): { readonly start: number; readonly distance: number } | undefined {
  const [first, second] = cells
  if (cells.every((cell) => cell.key === first!.key)) return { start: 0, distance: 0 }
  const values = cells.map((cell) => (cell.kind === 'number' ? Number(cell.value) : Number.NaN))
  if (!values.every(Number.isSafeInteger)) return undefined
  const distance = Number((second as { value: number }).value) - values[0]!
  return values.every((value, i) => value === values[0]! + i * distance) ? { start: values[0]!, distance } : undefined
}

/** For each tensor the steps that use it, and how often. */
export function usesOf(steps: readonly Step[], outputs: readonly Value[]): Map<Value, { readonly step: number }[]> {
  const uses = new Map<Value, { readonly step: number }[]>()
  const add = (value: Value, step: number) => {
    const list = uses.get(value)
    if (list) list.push({ step })
    else uses.set(value, [{ step }])
  }
  for (const [i, step] of steps.entries()) {
    if (step.kind === 'call') for (const value of step.item.values) add(value, i)
    else
      for (const [a, from] of step.carried.entries())
        for (const { values } of from === 'each' ? step.items : step.items.slice(0, 1)) {
          add(values[a]!, i)
          // What turns read stands in a variable: it counts as read more than once.
          if (typeof from !== 'number') add(values[a]!, i)
        }
  }
  for (const output of outputs) add(output, steps.length)
  return uses
}
