import type { Access, Step } from '../../compiler/fuse/kernel.ts'
import { type DType, isFloat, isInteger } from '../../compiler/graph/dtype.ts'
import { assertInvariant } from '../../compiler/graph/problem.ts'
import { denseStrides } from '../../compiler/graph/type.ts'
import type { Domain } from './access.ts'
import { type Argument, type Expression, expressions } from './expressions.ts'
import type { Level } from './level.ts'
import { lanesOf } from './level.ts'
import { computeType, laneKind, literalText, loadText, roundedText, storageType, storeText } from './scalar.ts'
import { block, type Lines, sum } from './text.ts'

/** Where a program is evaluated: one C expression for each dimension of its domain, lanes running along the last one. */
export type Position = readonly string[]

/** C names of the kernel's inputs (by index) and results, and which step each result is. */
export interface Pointers {
  readonly inputs: readonly string[]
  readonly results: readonly Store[]
}

/** Where a step goes. */
export interface Store {
  readonly pointer: string
  readonly step: number
  readonly dtype: DType
}

/** A program's text: statements that do not depend on the last dimension, the others, and the value of each step; `value` is the last. */
export interface Evaluation {
  readonly invariant: Lines
  readonly lines: Lines
  readonly values: readonly string[]
  readonly value: string
  readonly dtype: DType
}

function expressionOf(op: string): Expression {
  const found = (expressions as Readonly<Record<string, Expression>>)[op]
  assertInvariant(found && Object.hasOwn(expressions, op), `op '${op}' has no elementwise form`)
  return found
}

const argumentsOf = (step: Extract<Step, { kind: 'apply' }>, steps: readonly Step[], names: readonly string[]): Argument[] =>
  step.arguments.map((index) => {
    const from = steps[index]!
    return { text: names[index]!, dtype: from.dtype, ...(from.kind === 'literal' ? { literal: from.value } : {}) }
  })

/** Element index of an access at a position, `lane` elements further along the last dimension. */
function indexText(access: Access, position: Position, lane = 0): string {
  const constant = access.offset + lane * (access.strides.at(-1) ?? 0)
  return sum(
    position.map((variable, axis) => [variable.includes(' ') ? `(${variable})` : variable, access.strides[axis]!] as const),
    constant,
  )
}

/**
 * Programs in which integers take part compute floats step by step, as the interpreter does: what they round to integers in the end
 * would be another one, now and then, where a compiler merges a multiplication with an addition. Others may be merged.
 */
const isStepwise = (steps: readonly Step[]): boolean => steps.some((step) => isInteger(step.dtype))

/** Whether all steps have a form on vectors. */
export function isVectorProgram(steps: readonly Step[]): boolean {
  return steps.every((step) => {
    if (!laneKind(step.dtype)) return false
    if (step.kind !== 'apply') return true
    return (
      expressionOf(step.op).vector?.(
        argumentsOf(
          step,
          steps,
          steps.map(() => 'x'),
        ),
        step.dtype,
        step.attributes,
      ) !== undefined
    )
  })
}

interface Form {
  readonly type: (dtype: DType) => string
  readonly load: (step: Extract<Step, { kind: 'load' }>) => string
  readonly literal: (dtype: DType, value: number) => string
  readonly apply: (step: Extract<Step, { kind: 'apply' }>, args: readonly Argument[]) => string
  /** A product that is not to be merged with what it is added to. */
  readonly apart: (text: string) => string
}

function evaluate(
  steps: readonly Step[],
  prefix: string,
  anchor: string | undefined,
  form: Form,
  last = steps.length - 1,
): Evaluation {
  const stepwise = isStepwise(steps)
  const names: string[] = []
  const moving: boolean[] = []
  const invariant: string[] = []
  const lines: string[] = []
  for (const [i, step] of steps.slice(0, last + 1).entries()) {
    const name = `${prefix}${i}`
    if (step.kind === 'anchor') {
      assertInvariant(anchor !== undefined, 'a step reads the anchor where there is none')
      names.push(anchor)
      moving.push(true)
      continue
    }
    if (step.kind === 'literal') {
      names.push(form.literal(step.dtype, step.value))
      moving.push(false)
      continue
    }
    names.push(name)
    const moves =
      step.kind === 'load' ? (step.access.strides.at(-1) ?? 0) !== 0 : step.arguments.some((argument) => moving[argument])
    moving.push(moves)
    const computed = step.kind === 'load' ? form.load(step) : form.apply(step, argumentsOf(step, steps, names))
    const product = step.kind === 'apply' && isFloat(step.dtype) && expressionOf(step.op).multiplies
    const text = stepwise && product ? form.apart(computed) : computed
    ;(moves ? lines : invariant).push(`const ${form.type(step.dtype)} ${name} = ${text};`)
  }
  return { invariant, lines, values: names, value: names.at(-1)!, dtype: steps[last]!.dtype }
}

/** One element at a position. */
export function evaluateScalar(
  steps: readonly Step[],
  position: Position,
  inputs: readonly string[],
  anchor?: string,
  prefix = 't',
): Evaluation {
  return evaluate(steps, prefix, anchor, {
    type: computeType,
    load: (step) => loadText(step.dtype, `${inputs[step.input]}[${indexText(step.access, position)}]`),
    literal: literalText,
    apply: (step, args) => roundedText(step.dtype, expressionOf(step.op).scalar(args, step.dtype, step.attributes)),
    apart: (text) => `APART(${text})`,
  })
}

/**
 * `count` elements from a position on, in one vector; lanes beyond are computed from zeros and mean nothing. With `last`, up to that step
 * alone; `made` has the text of loads that are not simply read.
 */
export function evaluateVector(
  steps: readonly Step[],
  position: Position,
  inputs: readonly string[],
  count: number,
  level: Level,
  anchor?: string,
  prefix = 't',
  last?: number,
  made?: ReadonlyMap<Step, string>,
): Evaluation {
  const lanes = lanesOf(level)
  const form: Form = {
    type: (dtype) => (laneKind(dtype) === 'single' ? 'vf' : 'vi'),
    load: (step) => {
      const { input, access, dtype } = step
      const known = made?.get(step)
      if (known) return known
      const stride = access.strides.at(-1) ?? 0
      const kind = laneKind(dtype)
      const pointer = inputs[input]!
      const element = (lane: number) => {
        const text = `${pointer}[${indexText(access, position, lane)}]`
        return kind === 'mask' ? `-(i32)(${text} != 0)` : text
      }
      if (stride === 0) return kind === 'single' ? `SPLAT(${element(0)})` : `SPLAT_I(${element(0)})`
      if (stride === 1 && (kind === 'whole' || (kind === 'single' && (count === lanes || level.some))))
        return loadLanes(pointer, indexText(access, position), count, level, dtype)
      const list = Array.from({ length: lanes }, (_, lane) => (lane < count ? element(lane) : '0'))
      return `(${kind === 'single' ? 'vf' : 'vi'}){${list.join(', ')}}`
    },
    literal: (dtype, value) => {
      const kind = laneKind(dtype)
      if (kind === 'mask') return `SPLAT_I(${value ? -1 : 0})`
      return `${kind === 'single' ? 'SPLAT' : 'SPLAT_I'}(${literalText(dtype, value)})`
    },
    apply: (step, args) => expressionOf(step.op).vector!(args, step.dtype, step.attributes)!,
    apart: (text) => `APART(${text})`,
  }
  return evaluate(steps, prefix, anchor, form, last)
}

/** A vector of the `count` elements from an index on, the other lanes zero. */
export function loadLanes(pointer: string, index: string, count: number, level: Level, dtype: DType = 'f32'): string {
  const lanes = lanesOf(level)
  if (dtype !== 'f32')
    return count >= lanes ? `gp_load_${dtype}(${pointer} + ${index})` : `gp_load_some_${dtype}(${pointer} + ${index}, ${count})`
  if (count >= lanes) return `LOAD(${pointer} + ${index})`
  if (level.some) return `LOAD_SOME(${pointer} + ${index}, ${count})`
  return `(vf){${Array.from({ length: lanes }, (_, lane) => (lane < count ? `${pointer}[${index} + ${lane}]` : '0.0f')).join(', ')}}`
}

/** Stores the results' elements, each of the compute type of its dtype. */
export const storeScalars = (pointers: Pointers, index: string, values: readonly string[]): string[] =>
  pointers.results.map(({ pointer, step, dtype }) => `${pointer}[${index}] = ${storeText(dtype, values[step]!)};`)

/** Stores the first `count` lanes of the results' vectors or masks. */
export const storeVectors = (
  pointers: Pointers,
  index: string,
  values: readonly string[],
  count: number,
  level: Level,
  stride = 1,
): string[] => pointers.results.flatMap((store) => storeVector(store, index, values[store.step]!, count, level, stride))

function storeVector(
  { pointer, dtype }: Store,
  index: string,
  value: string,
  count: number,
  level: Level,
  stride: number,
): string[] {
  if (dtype === 'f32' && count === lanesOf(level) && stride === 1) return [`STORE(${pointer} + ${index}, ${value});`]
  if (dtype === 'f32' && stride === 1 && level.some) return [`STORE_SOME(${pointer} + ${index}, ${value}, ${count});`]
  if (laneKind(dtype) === 'whole' && stride === 1) {
    const [suffix, last] = count === lanesOf(level) ? ['', ''] : ['some_', `, ${count}`]
    return [`gp_store_${suffix}${dtype}(${pointer} + ${index}, ${value}${last});`]
  }
  const element = (lane: number) =>
    dtype === 'bool'
      ? `(bool8)(${value}[${lane}] & 1)`
      : dtype === 'f32'
        ? `${value}[${lane}]`
        : `(${storageType[dtype]})${value}[${lane}]`
  return Array.from(
    { length: count },
    (_, lane) => `${pointer}[${index}${lane > 0 ? ` + ${lane * stride}` : ''}] = ${element(lane)};`,
  )
}

/** Element of the result for a position. */
export const resultIndex = (domain: Domain, position: Position): string =>
  indexText({ offset: 0, strides: resultStridesOf(domain) }, position)
const resultStridesOf = (domain: Domain): readonly number[] => domain.resultStrides ?? denseStrides(domain.extents)

/**
 * The program over `count` elements that an anchor has computed as the vector `anchor`, stored. Programs without a vector form are run
 * lane by lane, so that any steps may follow any anchor.
 */
export function storeAfter(
  domain: Domain,
  position: Position,
  count: number,
  anchor: string,
  pointers: Pointers,
  level: Level,
): string[] {
  const index = resultIndex(domain, position)
  const stride = resultStridesOf(domain).at(-1) ?? 1
  if (isVectorProgram(domain.steps)) {
    const { invariant, lines, values } = evaluateVector(domain.steps, position, pointers.inputs, count, level, anchor)
    const store = storeVectors(pointers, index, values, count, level, stride)
    return invariant.length + lines.length === 0 ? store : block('', [...invariant, ...lines, ...store])
  }
  const inner = [...position.slice(0, -1), `(${position.at(-1)} + lane)`]
  const { invariant, lines, values } = evaluateScalar(domain.steps, inner, pointers.inputs, 'element')
  return block(`for (long lane = 0; lane < ${count}; lane++)`, [
    `const ${computeType(domain.steps.find((step) => step.kind === 'anchor')?.dtype ?? 'f32')} element = ${anchor}[lane];`,
    ...invariant,
    ...lines,
    ...storeScalars(pointers, `${index} + lane * ${stride}`, values),
  ])
}

/** The declared type of a pointer to elements of a dtype. */
export const pointerText = (dtype: DType, name: string, readonly: boolean): string =>
  `${readonly ? 'const ' : ''}${storageType[dtype]} *${name}`

/** The steps over one element that an anchor has computed, stored; positions are those of the kernel's domain. */
export function storeElement(domain: Domain, position: Position, element: string, pointers: Pointers): string[] {
  const { invariant, lines, values } = evaluateScalar(domain.steps, position, pointers.inputs, element)
  return [...invariant, ...lines, ...storeScalars(pointers, resultIndex(domain, position), values)]
}
