import type { Access, Kernel, Step } from '../../compiler/fuse/kernel.ts'
import { denseStrides, elementCount, type Shape } from '../../compiler/graph/type.ts'

/** Dimensions and the elementwise program over them, with every load's access stated in these dimensions. */
export interface Domain {
  readonly extents: Shape
  readonly steps: readonly Step[]
  /** Where results go: element strides in these dimensions; dense where not given. */
  readonly resultStrides?: readonly number[]
}

/** A kernel's positions, steps, and where its results go: rows that lie apart are larger strides of the dimensions around them. */
export function resultDomain({ domain: extents, steps, results }: Pick<Kernel, 'domain' | 'steps' | 'results'>): Domain {
  const rows = results.find((result) => result.rows)?.rows
  if (!rows) return { extents, steps }
  const resultStrides = denseStrides(extents).map((stride) =>
    stride < rows.length ? stride : (stride / rows.length) * rows.stride,
  )
  return { extents, steps, resultStrides }
}

/** Runs of dimensions that become one each; `undefined` where some load, or the results, do not walk a run with a single stride. */
export function regroup({ extents, steps, resultStrides }: Domain, groups: readonly (readonly number[])[]): Domain | undefined {
  let possible = true
  const along = (strides: readonly number[]) =>
    groups.map((group) => {
      const stride = groupStride(strides, extents, group)
      if (stride === undefined) possible = false
      return stride ?? 0
    })
  const rewritten = steps.map((step): Step => {
    if (step.kind !== 'load') return step
    return { ...step, access: { offset: step.access.offset, strides: along(step.access.strides) } }
  })
  const stored = resultStrides && { resultStrides: along(resultStrides) }
  return possible
    ? { extents: groups.map((group) => elementCount(group.map((axis) => extents[axis]!))), steps: rewritten, ...stored }
    : undefined
}

/** The same positions with dimensions in another order: dimension i of the result is `order[i]`. */
export function reorder({ extents, steps, resultStrides = denseStrides(extents) }: Domain, order: readonly number[]): Domain {
  const pick = (list: readonly number[]) => order.map((axis) => list[axis]!)
  return {
    extents: pick(extents),
    steps: steps.map((step) =>
      step.kind === 'load' ? { ...step, access: { offset: step.access.offset, strides: pick(step.access.strides) } } : step,
    ),
    resultStrides: pick(resultStrides),
  }
}

function groupStride(strides: readonly number[], extents: Shape, group: readonly number[]): number | undefined {
  const real = group.filter((axis) => extents[axis] !== 1)
  for (const [i, axis] of real.entries()) {
    const inner = real[i + 1]
    if (inner !== undefined && strides[axis] !== strides[inner]! * extents[inner]!) return undefined
  }
  return real.length === 0 ? 0 : strides[real.at(-1)!]!
}

/** As few dimensions as the loads allow, none of size 1; the order of positions stays. */
export function collapse(domain: Domain): Domain {
  const groups: number[][] = []
  for (const [axis, extent] of domain.extents.entries()) {
    if (extent === 1) continue
    const last = groups.at(-1)
    if (last && regroup(domain, [...groups.slice(0, -1), [...last, axis]])) last.push(axis)
    else groups.push([axis])
  }
  return regroup(domain, groups)!
}

/** From `first` on all dimensions up to `end` as one run if the loads allow, else as long a run at the end as they do: where the run starts. */
export function longestRun(domain: Domain, first: number, end: number): number {
  for (let start = first; start < end; start++) {
    const groups = domain.extents.map((_, axis) => [axis])
    const merged = [...groups.slice(0, start), groups.slice(start, end).flat(), ...groups.slice(end)]
    if (regroup(domain, merged)) return start
  }
  return end
}

export const denseAccess = (shape: Shape): Access => ({ offset: 0, strides: denseStrides(shape) })

/** Whether the access reads position i at element i of a dense tensor of the domain's shape. */
export function isIdentity(access: Access, extents: Shape): boolean {
  const dense = denseStrides(extents)
  return access.offset === 0 && extents.every((extent, axis) => extent === 1 || access.strides[axis] === dense[axis])
}

/** Does the kernel only hand on what the anchor computed? */
export const isPlain = ({ steps }: { readonly steps: readonly Step[] }): boolean =>
  steps.length === 1 && steps[0]!.kind === 'anchor'
