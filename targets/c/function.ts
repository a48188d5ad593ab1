import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { definitionOf } from '../../compiler/graph/ops/index.ts'
import { assertInvariant } from '../../compiler/graph/problem.ts'
import { byteSize } from '../../compiler/graph/type.ts'
import type { Packing } from '../../compiler/instructions/instruction.ts'
import { denseAccess, isIdentity, resultDomain } from './access.ts'
import { elementwiseBody } from './kernels/elementwise.ts'
import { type AnchoredKernel, pointersOf, resultName, type Template } from './kernels/template.ts'
import { type Level, lanesOf } from './level.ts'
import { rows } from './rows.ts'
import { storageType } from './scalar.ts'
import { type Pointers, pointerText } from './steps.ts'
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
const plain = (kernel: AnchoredKernel): AnchoredKernel => ({
  ...kernel,
  steps: [{ kind: 'anchor', dtype: kernel.anchor.type.dtype }],
  results: [{ step: 0, type: kernel.anchor.type }],
})

/** Bytes of working storage one call of the kernel needs. */
export function scratchBytes(kernel: Kernel, level: Level): number {
  if (!isAnchored(kernel)) return 0
  const template = templateOf(kernel)
  const raw = needsRaw(kernel, template, level)
  const own = template.scratch?.(raw === 'no' ? kernel : plain(kernel), level) ?? 0
  return raw === 'in scratch' ? alignUp(own) + byteSize(kernel.anchor.type) : own
}

export function packingOf(kernel: Kernel, index: number, level: Level): Packing | undefined {
  return isAnchored(kernel) && kernel.inputs[index]!.constant ? templateOf(kernel).pack?.(kernel, index, level) : undefined
}

/**
 * Rows that lie apart: for a single result, wherever the body stores at positions of the kernel's domain. Elementwise kernels fill their
 * vectors along a row, so that short rows are better made in one run and copied.
 */
export function storesRows(kernel: Kernel, level: Level): boolean {
  const [result] = kernel.results
  if (kernel.results.length > 1 || !result?.rows) return false
  if (!isAnchored(kernel)) return result.rows.length >= lanesOf(level)
  const template = templateOf(kernel)
  return template.storesRows === true && result.rows.length > 1 && needsRaw(kernel, template, level) === 'no'
}

/** An input may lie under a result when every element is read for the last time before or while the element there is written. */
export function mayShare(kernel: Kernel, index: number, result: number, level: Level): boolean {
  const input = kernel.inputs[index]!
  if (byteSize(input.type) !== byteSize(kernel.results[result]!.type)) return false
  const loads = [...kernel.steps, ...(kernel.prologue ?? [])].filter((step) => step.kind === 'load' && step.input === index)
  if (!isAnchored(kernel)) return loads.every((step) => step.kind === 'load' && isIdentity(step.access, kernel.domain))
  if (kernel.prologue) return false
  if (index < kernel.anchor.operands.length) return loads.length === 0 && templateOf(kernel).inPlace?.(kernel, index) === true
  if (typeof needsRaw(kernel, templateOf(kernel), level) === 'object') return false
  return loads.every((step) => step.kind === 'load' && isIdentity(step.access, kernel.domain))
}

/** One C function for a kernel; `origin` says where in the model it comes from. */
export function kernelFunction(name: string, kernel: Kernel, level: Level, origin: string): Lines {
  const inputs = kernel.inputs.map((_, i) => `x${i}`)
  const pointers = pointersOf(kernel)
  const scratch = scratchBytes(kernel, level)
  const parameters = [
    ...kernel.inputs.map((input, i) => pointerText(input.type.dtype, `x${i}`, true)),
    ...pointers.results.map(({ pointer, dtype }) => pointerText(dtype, pointer, false)),
    ...(scratch > 0 ? ['char *scratch'] : []),
  ]
  const body = bodyOf(kernel, pointers, level)
  const unused = [...inputs, ...pointers.results.map(({ pointer }) => pointer), ...(scratch > 0 ? ['scratch'] : [])].filter(
    (parameter) => !body.some((line) => new RegExp(`\\b${parameter}\\b`).test(line)),
  )
  return [
    `/* ${describe(kernel)} at ${commentText(origin)} */`,
    ...block(`KERNEL ${isChecked(kernel) ? 'int' : 'void'} ${identifier(name)}(${parameters.join(', ')})`, [
      ...unused.map((parameter) => `(void)${parameter};`),
      ...body,
    ]),
  ]
}

function bodyOf(kernel: Kernel, pointers: Pointers, level: Level): Lines {
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
    return [...block('', [...alias, ...template.body(plain(kernel), level)]), ...second(name)]
  }
  const offset = alignUp(template.scratch?.(plain(kernel), level) ?? 0)
  return [
    `${type} *const raw = (${type} *)(scratch + ${offset});`,
    ...block('', [`${type} *const out = raw;`, ...template.body(plain(kernel), level)]),
    ...second('raw'),
  ]
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
