import { dtypeFacts, elementsOf, isInteger, type Node } from '../graph/index.ts'
import type { Kernel, Step } from './kernel.ts'

/** What is known of a step of floats; infinities count as whole. */
interface Facts {
  readonly whole: boolean
  readonly number: boolean
  readonly finite: boolean
}

const nothing: Facts = { whole: false, number: false, finite: false }
const integer: Facts = { whole: true, number: true, finite: true }
const finite: Facts = { whole: false, number: true, finite: true }

/** Larger constants are not looked through. */
const readableElements = 1 << 16

function factsOfConstant({ data, type }: Node): Facts {
  if (!data || type.dtype !== 'f32' || type.shape.reduce((count, extent) => count * extent, 1) > readableElements) return nothing
  const elements = elementsOf('f32', data.read())
  for (let i = 0; i < elements.length; i++) if (!Number.isFinite(elements.get(i))) return nothing
  return finite
}

/** Sums and products of f32: of numbers that are finite they are numbers. */
function factsOfApply(step: Extract<Step, { kind: 'apply' }>, args: readonly Facts[]): Facts {
  const [a = nothing, b = nothing] = args
  if (step.op === 'round' || step.op === 'floor' || step.op === 'ceil') return { ...a, whole: true }
  if (step.op === 'mul') return { ...nothing, number: a.finite && b.finite }
  if (step.op === 'add' || step.op === 'sub')
    return { whole: a.whole && b.whole, number: (a.finite && b.number) || (a.number && b.finite), finite: false }
  if (step.op === 'maximum' || step.op === 'minimum')
    return { whole: a.whole && b.whole, number: a.number && b.number, finite: a.finite && b.finite }
  return nothing
}

type Apply = Extract<Step, { kind: 'apply' }>
const isApply = (step: Step | undefined, op: string): step is Apply => step?.kind === 'apply' && step.op === op

/** Zero points and limits of integers of up to 16 bits: sums of so few bits are exact where limits do not hide them. */
const isSmallWhole = (step: Step | undefined): step is Extract<Step, { kind: 'literal' }> =>
  step?.kind === 'literal' && Number.isInteger(step.value) && Math.abs(step.value) <= 65536

/** An operand and the small whole number that is added to it. */
function shifted(steps: readonly Step[], index: number): { readonly of: number; readonly by: number } | undefined {
  const step = steps[index]
  if (!isApply(step, 'add')) return undefined
  const [a, b] = step.arguments as [number, number]
  for (const [of, by] of [
    [a, b],
    [b, a],
  ] as const) {
    const literal = steps[by]
    if (isSmallWhole(literal)) return { of, by: literal.value }
  }
  return undefined
}

/**
 * Integers that are floats again inside the kernel stay floats within the integers' limits, and a zero point that was added before and
 * is taken off behind moves into the limits. The same values to the bit:
 *
 *     $4 = round $3                           $4 = round $3
 *     $6 = add $4 114                         $6 = maximum $4 -114
 *     $7 = cast $6 {dtype: "u8"}         →    $7 = minimum $6 141
 *     $8 = cast $7 {dtype: "f32"}
 *     $10 = add $8 -114
 *
 * `inputs` are the nodes that the kernel reads.
 */
export function keepWhole(kernel: Kernel, inputs: readonly Node[]): Kernel {
  if (!kernel.steps.some((step) => isApply(step, 'cast') && isInteger(step.dtype))) return kernel
  const steps: Step[] = []
  const facts: Facts[] = []
  const emit = (step: Step): number => {
    facts.push(factsOf(step))
    return steps.push(step) - 1
  }
  const factsOf = (step: Step): Facts => {
    if (step.kind !== 'literal' && isInteger(step.dtype)) return integer
    if (step.dtype !== 'f32') return nothing
    if (step.kind === 'literal')
      return { whole: Number.isInteger(step.value), number: !Number.isNaN(step.value), finite: Number.isFinite(step.value) }
    if (step.kind === 'load') return inputs[step.input] ? factsOfConstant(inputs[step.input]!) : nothing
    if (step.kind === 'anchor') return nothing
    if (step.op === 'cast') return isInteger(steps[step.arguments[0]!]!.dtype) ? integer : nothing
    return factsOfApply(
      step,
      step.arguments.map((argument) => facts[argument]!),
    )
  }
  const literal = (value: number) => emit({ kind: 'literal', value, dtype: 'f32' })
  const apply = (op: string, ...args: number[]) => emit({ kind: 'apply', op, arguments: args, attributes: {}, dtype: 'f32' })
  const limited = (index: number, low: number, high: number) =>
    apply('minimum', apply('maximum', index, literal(low)), literal(high))

  /** A float that was an integer of up to 16 bits before. */
  function again(step: Step): number | undefined {
    if (!isApply(step, 'cast') || step.dtype !== 'f32') return undefined
    const inner = steps[step.arguments[0]!]
    if (!isApply(inner, 'cast') || !isInteger(inner.dtype) || dtypeFacts[inner.dtype].bytes > 2) return undefined
    const of = inner.arguments[0]!
    if (steps[of]!.dtype !== 'f32' || !facts[of]!.whole || !facts[of]!.number) return undefined
    const { bytes, kind } = dtypeFacts[inner.dtype]
    const span = 2 ** (8 * bytes)
    const low = kind === 'signed' ? -span / 2 : 0
    return limited(of, low, low + span - 1)
  }
  /** limited(x + c) − c, for whole x: where x + c is not exact, it is far beyond the limits. */
  function within(step: Step): number | undefined {
    if (!isApply(step, 'add')) return undefined
    const outer = shifted([...steps, step], steps.length)
    const minimum = outer && steps[outer.of]
    if (!isApply(minimum, 'minimum')) return undefined
    const maximum = steps[minimum.arguments[0]!]
    const high = steps[minimum.arguments[1]!]
    if (!isApply(maximum, 'maximum') || !isSmallWhole(high)) return undefined
    const low = steps[maximum.arguments[1]!]
    const inner = shifted(steps, maximum.arguments[0]!)
    if (!isSmallWhole(low) || !inner || inner.by !== -outer!.by || !facts[inner.of]!.whole) return undefined
    return limited(inner.of, low.value + outer!.by, high.value + outer!.by)
  }

  const at: number[] = []
  for (const step of kernel.steps) {
    const moved = step.kind === 'apply' ? { ...step, arguments: step.arguments.map((argument) => at[argument]!) } : step
    at.push(again(moved) ?? within(moved) ?? emit(moved))
  }
  return withoutUnused({ ...kernel, steps, results: kernel.results.map((result) => ({ ...result, step: at[result.step]! })) })
}

/** The steps that results need; the anchor's stays. */
function withoutUnused(kernel: Kernel): Kernel {
  const needed = new Set(kernel.results.map(({ step }) => step))
  for (const [i, step] of [...kernel.steps.entries()].toReversed())
    if (needed.has(i) && step.kind === 'apply') for (const argument of step.arguments) needed.add(argument)
  const at = new Map([...needed].sort((a, b) => a - b).map((old, index) => [old, index]))
  const steps = [...at.keys()].map((old): Step => {
    const step = kernel.steps[old]!
    return step.kind === 'apply' ? { ...step, arguments: step.arguments.map((argument) => at.get(argument)!) } : step
  })
  return { ...kernel, steps, results: kernel.results.map((result) => ({ ...result, step: at.get(result.step)! })) }
}
