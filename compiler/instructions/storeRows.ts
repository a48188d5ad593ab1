import type { Kernel, Step } from '../fuse/kernel.ts'
import { kernelSignature } from '../fuse/print.ts'
import { dtypeFacts, type Shape } from '../graph/index.ts'
import type { Target } from '../target.ts'
import type { Copy, Instruction } from './instruction.ts'
import { pitchOf, stripesMeet } from './stripes.ts'
import { type Access, type Workspace, writtenPlace } from './workspace.ts'

type Call = Extract<Instruction, { kind: 'call' }>
type Rows = { readonly length: number; readonly stride: number }

/**
 *     call f @out %1; …; copy @in %1, @out %2: 8 x 64 bytes, 64 and 256 apart   ⟶   call f_rows @out %2
 *
 * A call writes all of an activation that only a copy into rows reads: the kernel stores those rows itself, where the target has it so,
 * and nobody uses them between. What the call was given, working storage and packed constants, must suit the new kernel.
 */
export function storeRows(work: Workspace, at: number, target: Target): void {
  const copy = work.instruction(at) as Copy
  const from = work.uses(at)[0]!
  const source = work.buffer(from.origin)
  const [maker, reader, more] = work.accesses(from.origin)
  const whole = source.kind === 'activation' && from.from === 0 && copy.rows * copy.rowBytes === source.bytes
  if (!whole || copy.fromStride !== copy.rowBytes || more || reader?.index !== at || maker!.qualifier !== 'out') return
  const call = work.instruction(maker!.index)!
  if (call.kind !== 'call') return
  const operand = work.uses(maker!.index).indexOf(maker!)
  const kernel = storingRows(call.kernel, operand - call.kernel.inputs.length, copy)
  if (!kernel || !target.storesRows(kernel) || !suits(work, call, kernel, target)) return

  const rows = { ...writtenPlace(work, at), pitch: pitchOf(copy, 1) }
  const clash = work
    .accessesBetween(rows.origin, maker!.index, at)
    .some((access) => access.index !== at && stripesMeet(rows, { ...placeOf(access), pitch: pitchWithin(work, access) }))
  if (clash) return
  const operands = call.operands.with(operand, { buffer: copy.to, qualifier: 'out' })
  work.drop(at)
  work.replace(maker!.index, { ...call, name: nameFor(work, call.name, kernel), kernel, operands })
}

const placeOf = ({ origin, from, to }: Access) => ({ origin, from, to })
const pitchWithin = (work: Workspace, access: Access) =>
  pitchOf(work.instruction(access.index)!, work.uses(access.index).indexOf(access))

/** The kernel with rows for one of its results; undefined where they do not begin at positions of its domain. */
function storingRows(kernel: Kernel, index: number, copy: Copy): Kernel | undefined {
  const result = kernel.results[index]!
  const { bytes } = dtypeFacts[result.type.dtype]
  const rows: Rows = { length: copy.rowBytes / bytes, stride: copy.toStride / bytes }
  if (kernel.anchor?.bodies || result.rows || !Number.isInteger(rows.length) || !Number.isInteger(rows.stride)) return undefined
  const split = cutDomain(kernel, rows.length)
  return (
    split && {
      ...kernel,
      ...split,
      results: kernel.results.map((each, i) => ({
        ...each,
        type: { ...each.type, shape: split.domain },
        ...(i === index && { rows }),
      })),
    }
  )
}

/** The kernel's domain with a dimension that begins every `length` positions, which an anchor must have by itself. */
function cutDomain({ anchor, domain, steps }: Kernel, length: number): Pick<Kernel, 'domain' | 'steps'> | undefined {
  let inner = 1
  let axis = domain.length
  while (axis > 0 && inner * domain[axis - 1]! <= length) inner *= domain[--axis]!
  if (inner === length) return { domain, steps }
  const extent = domain[axis - 1]
  const width = length / inner
  if (anchor || extent === undefined || !Number.isInteger(width) || extent % width !== 0) return undefined
  const cut = (list: readonly number[], outer: number, own: number) => [
    ...list.slice(0, axis - 1),
    outer,
    own,
    ...list.slice(axis),
  ]
  const shape: Shape = cut(domain, extent / width, width)
  const spread = steps.map((step): Step => {
    if (step.kind !== 'load') return step
    const stride = step.access.strides[axis - 1]!
    return { ...step, access: { offset: step.access.offset, strides: cut(step.access.strides, stride * width, stride) } }
  })
  return { domain: shape, steps: spread }
}

/** Would the target give the kernel what the call has? */
function suits(work: Workspace, call: Call, kernel: Kernel, target: Target): boolean {
  if (target.scratch(kernel) !== target.scratch(call.kernel)) return false
  return kernel.inputs.every((input, i) => {
    const buffer = work.buffer(call.operands[i]!.buffer)
    const packing = buffer.kind === 'constant' ? buffer.packing?.key : undefined
    return !input.constant || target.pack(kernel, i)?.key === packing
  })
}

/** A name that no other kernel bears: `tanh_16x4_rows12`. */
function nameFor(work: Workspace, base: string, kernel: Kernel): string {
  const signature = kernelSignature(kernel)
  const stem = `${base}_rows${kernel.results.find((result) => result.rows)!.rows!.stride}`
  let name = stem
  for (let n = 2; (work.kernels.get(name) ?? signature) !== signature; n++) name = `${stem}_${n}`
  work.kernels.set(name, signature)
  return name
}
