import type { Kernel, StoredFloat } from '../../compiler/fuse/kernel.ts'
import { definitionOf } from '../../compiler/graph/ops/index.ts'
import { assertInvariant } from '../../compiler/graph/problem.ts'
import { byteSize } from '../../compiler/graph/type.ts'
import type { Packing } from '../../compiler/instructions/instruction.ts'
import type { KernelWay } from '../../compiler/target.ts'
import { denseAccess, isIdentity, resultDomain } from './access.ts'
import { cheapest, standsFor } from './choice.ts'
import { elementwiseBody } from './kernels/elementwise.ts'
import { type AnchoredKernel, pointersOf, resultName, type Template } from './kernels/template.ts'
import { type Level, lanesOf } from './level.ts'
import { rows } from './rows.ts'
import { storageType } from './scalar.ts'
import { type Pointers, pointerText } from './steps.ts'
import { mentionsTeam, onePart, sharingLevel, teamWait } from './team.ts'
import { block, commentText, identifier, type Lines } from './text.ts'

const isAnchored = (kernel: Kernel): kernel is AnchoredKernel => kernel.anchor !== undefined

function templateOf(kernel: AnchoredKernel): Template {
  const row = Object.hasOwn(rows, kernel.anchor.op) ? rows[kernel.anchor.op as keyof typeof rows] : undefined
  assertInvariant(row?.kind === 'template', `op '${kernel.anchor.op}' cannot anchor a kernel`)
  return row
}

/** Whether the kernel's anchor may find its operands wrong while running; its function then returns whether it did. */
export const isChecked = (kernel: Kernel): boolean =>
  kernel.anchor !== undefined && definitionOf(kernel.anchor.op).traits.includes('checked')

const scratchAlignment = 64
const alignUp = (bytes: number) => Math.ceil(bytes / scratchAlignment) * scratchAlignment

/** Ops behind a tile at most: a tile's code repeats them for each of its vectors. */
const maximumTileSteps = 10

/**
 * Where the template cannot apply the steps, or would repeat too many, the anchor's whole value comes first and the steps run over it in
 * a second loop. The value then lies in a result, or in working storage where none has its element type.
 */
function needsRaw(kernel: AnchoredKernel, template: Template, level: Level): 'no' | 'in scratch' | { readonly result: number } {
  const applied = kernel.steps.filter((step) => step.kind === 'apply').length
  if (template.fuses?.(kernel, level) !== false && !(template.tiled && applied > maximumTileSteps)) return 'no'
  const result = kernel.results.findIndex(({ type, rows }) => type.dtype === kernel.anchor.type.dtype && !rows)
  return result < 0 ? 'in scratch' : { result }
}
/** The kernel of the anchor alone, which is made in the way of the whole. */
function plain(kernel: AnchoredKernel): AnchoredKernel {
  const alone: AnchoredKernel = {
    ...kernel,
    steps: [{ kind: 'anchor', dtype: kernel.anchor.type.dtype }],
    results: [{ step: 0, type: kernel.anchor.type }],
  }
  standsFor(alone, kernel)
  return alone
}

/** The ways to make a kernel, that which is taken where none was measured first; none where there is nothing to choose. */
export function waysOfKernel(kernel: Kernel, given: Level): readonly KernelWay[] {
  const level = sharingLevel(kernel, given)
  if (!isAnchored(kernel) || kernel.anchor.bodies || (kernel.domain.includes(0) && !isChecked(kernel))) return []
  const template = templateOf(kernel)
  const ways = template.ways?.(needsRaw(kernel, template, level) === 'no' ? kernel : plain(kernel), level) ?? []
  if (ways.length < 2) return []
  const first = cheapest(ways)
  return [first, ...ways.filter((way) => way !== first)].map(({ name, nanoseconds }) => ({ name, nanoseconds }))
}

/** Working storage of a kernel, as bytes one behind the other. */
interface Scratch {
  /** Of all parts of a team. */
  readonly shared: number
  /** Of one part alone. */
  readonly own: number
  /** The anchor's value, where no result holds it. */
  readonly raw: number
}

function scratchOf(kernel: Kernel, level: Level): Scratch {
  if (!isAnchored(kernel)) return { shared: 0, own: 0, raw: 0 }
  const template = templateOf(kernel)
  const raw = needsRaw(kernel, template, level)
  const asked = raw === 'no' ? kernel : plain(kernel)
  return {
    shared: template.scratch?.(asked, level) ?? 0,
    own: template.ownScratch?.(asked, level) ?? 0,
    raw: raw === 'in scratch' ? byteSize(kernel.anchor.type) : 0,
  }
}

const rawOffset = ({ shared, own }: Scratch) => (own === 0 ? alignUp(shared) : alignUp(alignUp(shared) + own))

/** Bytes of working storage one call of the kernel needs: what its parts share, and what the first of them has for itself. */
export function scratchBytes(kernel: Kernel, given: Level): number {
  const scratch = scratchOf(kernel, sharingLevel(kernel, given))
  if (scratch.raw > 0) return rawOffset(scratch) + scratch.raw
  return scratch.own > 0 ? alignUp(scratch.shared) + scratch.own : scratch.shared
}

export function packingOf(kernel: Kernel, index: number, given: Level): Packing | undefined {
  const level = sharingLevel(kernel, given)
  if (!isAnchored(kernel) || !kernel.inputs[index]!.constant) return undefined
  const template = templateOf(kernel)
  // The body is asked for the same kernel, and one way of making it has one layout.
  return template.pack?.(needsRaw(kernel, template, level) === 'no' ? kernel : plain(kernel), index, level)
}

/** Whether the kernel could read this constant operand as 16 bits an element. */
export function storesAs(kernel: Kernel, index: number, as: StoredFloat, given: Level): boolean {
  if (!isAnchored(kernel) || kernel.prologue || index >= kernel.anchor.operands.length) return false
  return templateOf(kernel).stores?.(kernel, index, as, sharingLevel(kernel, given)) === true
}

/**
 * Rows that lie apart: for a single result, wherever the body stores at positions of the kernel's domain. Elementwise kernels fill their
 * vectors along a row, so that short rows are better made in one run and copied.
 */
export function storesRows(kernel: Kernel, given: Level): boolean {
  const level = sharingLevel(kernel, given)
  const [result] = kernel.results
  if (kernel.results.length > 1 || !result?.rows) return false
  if (!isAnchored(kernel)) return result.rows.length >= lanesOf(level)
  const template = templateOf(kernel)
  return template.storesRows === true && result.rows.length > 1 && needsRaw(kernel, template, level) === 'no'
}

/** An input may lie under a result when every element is read for the last time before or while the element there is written. */
export function mayShare(kernel: Kernel, index: number, result: number, given: Level): boolean {
  const level = sharingLevel(kernel, given)
  const input = kernel.inputs[index]!
  if (byteSize(input.type) !== byteSize(kernel.results[result]!.type)) return false
  const loads = [...kernel.steps, ...(kernel.prologue ?? [])].filter((step) => step.kind === 'load' && step.input === index)
  if (!isAnchored(kernel)) return loads.every((step) => step.kind === 'load' && isIdentity(step.access, kernel.domain))
  if (kernel.prologue) return false
  if (index < kernel.anchor.operands.length) return loads.length === 0 && templateOf(kernel).inPlace?.(kernel, index) === true
  if (typeof needsRaw(kernel, templateOf(kernel), level) === 'object') return false
  return loads.every((step) => step.kind === 'load' && isIdentity(step.access, kernel.domain))
}

/** A kernel's C function. */
export interface KernelFunction {
  readonly lines: Lines
  /** Whether all threads of a team are to call it. */
  readonly shared: boolean
  /** Bytes of working storage that each of them but the first needs for itself. */
  readonly ownBytes: number
}

/** One C function for a kernel; `origin` says where in the model it comes from. */
export function kernelFunction(name: string, kernel: Kernel, given: Level, origin: string): KernelFunction {
  const level = sharingLevel(kernel, given)
  const inputs = kernel.inputs.map((_, i) => `x${i}`)
  const pointers = pointersOf(kernel)
  const scratch = scratchOf(kernel, level)
  const text = bodyOf(kernel, pointers, level, scratch)
  const shared = mentionsTeam(text)
  const first = `scratch + ${alignUp(scratch.shared)}`
  const own = shared ? `team->part == 0 ? ${first} : team->own` : first
  const body = scratch.own > 0 ? [`char *const own = ${own};`, ...text] : text
  const needed = scratchBytes(kernel, level) > 0
  const parameters = [
    ...kernel.inputs.map((input, i) => pointerText(input.stored ? 'u16' : input.type.dtype, `x${i}`, true)),
    ...pointers.results.map(({ pointer, dtype }) => pointerText(dtype, pointer, false)),
    ...(needed ? ['char *scratch'] : []),
    ...(shared ? ['struct glowplug_team *team'] : []),
  ]
  const unused = [...inputs, ...pointers.results.map(({ pointer }) => pointer), ...(needed ? ['scratch'] : [])].filter(
    (parameter) => !body.some((line) => new RegExp(`\\b${parameter}\\b`).test(line)),
  )
  const lines = [
    `/* ${describe(kernel)} at ${commentText(origin)} */`,
    ...block(`KERNEL ${isChecked(kernel) ? 'int' : 'void'} ${identifier(name)}(${parameters.join(', ')})`, [
      ...unused.map((parameter) => `(void)${parameter};`),
      ...body,
    ]),
  ]
  return { lines, shared, ownBytes: shared ? alignUp(scratch.own) : 0 }
}

function bodyOf(kernel: Kernel, pointers: Pointers, level: Level, scratch: Scratch): Lines {
  // What checks its operands does so even when there is nothing to compute.
  if (kernel.domain.includes(0) && !isChecked(kernel)) return []
  if (!isAnchored(kernel)) return elementwiseBody(resultDomain(kernel), pointers, level)
  const template = templateOf(kernel)
  const raw = needsRaw(kernel, template, level)
  if (raw === 'no') return template.body(kernel, level)
  assertInvariant(!isChecked(kernel), 'a checked anchor applies its steps itself')
  const steps = kernel.steps.map((step) =>
    step.kind === 'anchor'
      ? { kind: 'load' as const, input: kernel.inputs.length, access: denseAccess(kernel.domain), dtype: step.dtype }
      : step,
  )
  const second = (from: string) =>
    elementwiseBody(resultDomain({ ...kernel, steps }), { ...pointers, inputs: [...pointers.inputs, from] }, level)
  const type = storageType[kernel.anchor.type.dtype]
  if (typeof raw === 'object') {
    const name = resultName(raw.result)
    const alias = raw.result === 0 ? [] : [`${type} *const out = ${name};`]
    return inTurn(level, block('', [...alias, ...template.body(plain(kernel), level)]), second(name))
  }
  return [
    `${type} *const raw = (${type} *)(scratch + ${rawOffset(scratch)});`,
    ...inTurn(level, block('', [`${type} *const out = raw;`, ...template.body(plain(kernel), level)]), second('raw')),
  ]
}

/** Two phases of a kernel: where either is divided, the other is one part's or is divided too, and the second waits for the first. */
function inTurn(level: Level, first: Lines, second: Lines): Lines {
  if (!mentionsTeam([...first, ...second])) return [...first, ...second]
  const phase = (lines: Lines) => (mentionsTeam(lines) ? lines : onePart(level, lines))
  return [...phase(first), ...teamWait(level), ...phase(second)]
}

function describe(kernel: Kernel): string {
  const ops = [...(kernel.prologue ?? []), ...(kernel.anchor ? [kernel.anchor] : []), ...kernel.steps].flatMap((step) =>
    'op' in step ? [step.op] : [],
  )
  const type = (t: { readonly dtype: string; readonly shape: readonly number[] }) => `${t.dtype}[${t.shape.join(', ')}]`
  return commentText(
    `${ops.length > 0 ? ops.join(' ') : 'move'}: ${kernel.inputs.map((input) => type(input.type)).join(', ')} -> ${kernel.results.map((result) => type(result.type)).join(', ')}`,
  )
}
