import { elementCount, type Shape } from '../graph/index.ts'
import { canonicalAccess } from './access.ts'
import type { Access, Step } from './kernel.ts'

/** The coarsest shape whose dimensions multiply to those of all given shapes of equal element count; undefined when there is none. */
export function commonRefinement(shapes: readonly Shape[]): Shape | undefined {
  if (elementCount(shapes[0]!) === 0) return undefined
  const cuts = new Set([1])
  for (const shape of shapes) {
    let product = 1
    for (const extent of shape.toReversed()) {
      product *= extent
      cuts.add(product)
    }
  }
  const sorted = [...cuts].sort((a, b) => b - a)
  const sizes = sorted.slice(1).map((cut, i) => sorted[i]! / cut)
  return sizes.every(Number.isInteger) ? sizes : undefined
}

/** Drops dimensions of one element and merges neighbours that every load walks through in one stride. */
export function mergeDomain(domain: Shape, steps: readonly Step[]): { readonly domain: Shape; readonly steps: readonly Step[] } {
  const accesses = steps.flatMap((step) => (step.kind === 'load' ? [step.access] : []))
  if (elementCount(domain) === 0) return replaceAccesses([0], steps, (access) => ({ offset: access.offset, strides: [0] }))
  /** Last old dimension of each new one, whose strides the new one has. */
  const kept: { extent: number; last: number }[] = []
  for (const [axis, extent] of domain.entries()) {
    if (extent === 1) continue
    const outer = kept.at(-1)
    if (outer && accesses.every(({ strides }) => strides[outer.last] === strides[axis]! * extent)) {
      outer.extent *= extent
      outer.last = axis
    } else kept.push({ extent, last: axis })
  }
  return replaceAccesses(
    kept.map((dimension) => dimension.extent),
    steps,
    ({ offset, strides }) => ({ offset, strides: kept.map((dimension) => strides[dimension.last]!) }),
  )
}

function replaceAccesses(domain: Shape, steps: readonly Step[], replace: (access: Access) => Access) {
  const replaced = steps.map((step) =>
    step.kind === 'load' ? { ...step, access: canonicalAccess(replace(step.access), domain) } : step,
  )
  return { domain, steps: replaced }
}
